"""Corruptions of uint8 images at five severities, in named sets; no torch.

A corruption's name is as in a view's: "gaussian-noise" of the set `medmnistc`, else with the set
before it, as "mri.bias-field".
"""

from omnibench.data.corruptions.apply import corrupted, corruption_named
from omnibench.data.corruptions.kinds import SEVERITIES, Corruption, CorruptionSet
from omnibench.data.corruptions.sets import SETS, view_names

__all__ = [
    "SETS",
    "SEVERITIES",
    "Corruption",
    "CorruptionSet",
    "corrupted",
    "corruption_named",
    "view_names",
]

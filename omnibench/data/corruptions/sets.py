"""The sets of corruptions that ship."""

from collections.abc import Mapping

from omnibench.data.corruptions.brainfm import MILD, SEVERE
from omnibench.data.corruptions.kinds import CorruptionSet
from omnibench.data.corruptions.medmnistc import MEDMNISTC
from omnibench.data.corruptions.mri import MRI

SETS: Mapping[str, CorruptionSet] = {
    "medmnistc": MEDMNISTC,
    "mri": MRI,
    "brainfm-mild": MILD,
    "brainfm-severe": SEVERE,
}

# The set whose corruptions are called by their names alone.
PLAIN = "medmnistc"


def view_names() -> tuple[str, ...]:
    """Return the names of all corruptions, as a suite file and views write them."""
    return tuple(
        name if set_name == PLAIN else f"{set_name}.{name}"
        for set_name, corruptions in SETS.items()
        for name in corruptions.general
    )

"""`whole-volume`: the frozen embeddings of whole volumes, for backbones that see them."""

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.encoders.frozen import UnitFeatures
from omnibench.encoders.volumes import volume_embeddings
from omnibench.tasks.classification.cases import Cases


def whole_volumes(unit: Unit, cases: Cases, context: Context, *names: str) -> UnitFeatures:
    """Return the embedding of each study of splits, by name."""
    return volume_embeddings(unit, {name: cases.dataset.splits[name] for name in names}, context)

"""What `run` would refuse of a unit, told by `plan` from its data, its card and its recipe."""

from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.sources import Sources


def refusals(unit: Unit, sources: Sources) -> tuple[str, ...]:
    """Return a sentence for each reason why a unit would be refused; () for one that lacks things.

    A dataset without val and test is a pool that is read image by image: none of this holds there,
    nor where a task asks a dataset for its images alone.
    """
    dataset = unit.dataset
    if unit.needs or unit.task not in dataset.tasks or "val" not in dataset.splits:
        return ()
    reasons = (sources.refusal_of(dataset), _of_batch(unit))
    return tuple(reason for reason in reasons if reason)


def _of_batch(unit: Unit) -> str:
    """Return a batch that no training split of this size fills; probes of embeddings cut theirs."""
    batch, limit = unit.recipe.get("batch"), unit.recipe.get("limit")
    count = min(unit.dataset.splits["train"], limit or unit.dataset.splits["train"])
    of_embeddings = tasks.get(unit.task).adaptations[unit.adaptation].frozen_kind == "embed"
    if batch is None or of_embeddings or batch <= count:
        return ""
    return (
        f"recipe.batch {batch} exceeds the {count} training images of {unit.dataset.id}; lower it"
    )

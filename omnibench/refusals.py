"""What `run` would refuse of a unit, told by `plan` from its data, its card and its recipe."""

from omnibench.cards import BackboneCard
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.sources import Sources

# Whose patches must fit the input; a builder's module may do as it likes.
OF_TIMM = ("timm", "hf_hub", "file", "random", "record")


def refusals(unit: Unit, sources: Sources) -> tuple[str, ...]:
    """Return a sentence for each reason why a unit would be refused; () for one that lacks things.

    A dataset without val and test is a pool that is read image by image: none of this holds there,
    nor where a task asks a dataset for its images alone.
    """
    dataset, size = unit.dataset, unit.recipe.get("input_size")
    if unit.needs or unit.task not in dataset.tasks or "val" not in dataset.splits:
        return ()
    reasons = (
        sources.refusal_of(dataset),
        _of_patch(unit.backbone, size) if isinstance(size, int) else "",
        _of_batch(unit),
    )
    return tuple(reason for reason in reasons if reason)


def _of_patch(card: BackboneCard, size: int) -> str:
    if card.source_kind not in OF_TIMM or not card.patch or not size % card.patch:
        return ""
    below = size // card.patch * card.patch
    fitting = f"{below} or {below + card.patch}" if below else str(card.patch)
    return (
        f"recipe.input_size {size} is not a multiple of {card.id}'s patch size {card.patch}; "
        f"use {fitting}"
    )


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

"""What pretraining refuses, a sentence each, for `plan` and for what computes. No torch."""

from collections.abc import Iterator

from omnibench.architecture.table import timm_facts
from omnibench.cards import BackboneCard
from omnibench.cell import Unit
from omnibench.data.sources import resolve
from omnibench.errors import RequestError


def refusals(unit: Unit) -> Iterator[str]:
    """Yield what is wrong with a unit, as `Task.refusals` says."""
    recipe, start = unit.recipe, unit.backbone
    if not _may_be_plain(start):
        yield no_plain_vit(start.id)
    patch = start.patch if recipe["local_crops"] else None
    if patch and (refusal := crop_refusal(recipe["local_size"], patch, start.id)):
        yield refusal
    if (reference := unit.options["knn"]) is not None:
        card = resolve(reference)
        if card.tasks and card.labels in (None, "multi-label"):
            yield no_single_labels(reference)


def _may_be_plain(card: BackboneCard) -> bool:
    """Return whether nothing tells that an architecture is no ViT with a class token."""
    if card.source_kind not in ("timm", "random"):
        return True
    try:
        facts = timm_facts(card.source_name.partition("@")[0])
    except RequestError:
        return True
    return facts is None or (facts.kind == "vit" and facts.class_token is not False)


def no_plain_vit(name: str) -> str:
    """Return the sentence that refuses what is no plain vision transformer."""
    return (
        f"'{name}' is no plain vision transformer with a class token, which pretraining needs; "
        "take an architecture such as vit_small_patch14_dinov2"
    )


def crop_refusal(size: int, patch: int, name: str) -> str:
    """Return the sentence that refuses a local crop, or "" for one that the patch size divides."""
    if size % patch == 0:
        return ""
    return (
        f"recipe.local_size {size} is not a multiple of the patch size {patch} of {name}; use "
        f"{max(1, size // patch) * patch}"
    )


def no_single_labels(reference: str) -> str:
    """Return the sentence that refuses a dataset for the online evaluation."""
    return f"knn: {reference} has not one label an image; name a dataset of classification"

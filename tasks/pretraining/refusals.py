"""What pretraining refuses, a sentence each, for `plan` and for what computes. No torch."""

from collections.abc import Iterator
from typing import Any

from omnibench.architecture.lookup import named_architecture
from omnibench.architecture.needs import nearest_sizes
from omnibench.architecture.volume_vits import VOLUME_VITS
from omnibench.cards import BackboneCard
from omnibench.cell import Unit
from omnibench.data.sources import resolve
from omnibench.errors import RequestError
from omnibench.tasks.contrasts.refusals import backbone_refusal, contrast_refusal

from .mae_options import visible_patches


def refusals(unit: Unit) -> Iterator[str]:
    """Yield what is wrong with a unit of any method, as `Task.refusals` says."""
    size, patch = unit.recipe["input_size"], unit.backbone.patch
    if patch and size % patch:
        yield (
            f"recipe.input_size {size} is not a multiple of the patch size {patch} of "
            f"{unit.backbone.id}; use {nearest_sizes(size, patch)}"
        )
    if (reference := unit.options.get("knn")) is not None:
        card = resolve(reference)
        if card.tasks and card.labels in (None, "multi-label"):
            yield no_single_labels(reference)


def of_distillation(unit: Unit) -> Iterator[str]:
    """Yield a start that is no plain ViT, and local crops that its patches do not divide."""
    recipe, start = unit.recipe, unit.backbone
    yield from _of_images(start)
    patch = start.patch if recipe["local_crops"] else None
    if patch and (refusal := crop_refusal(recipe["local_size"], patch, start.id)):
        yield refusal


def of_mae(unit: Unit) -> Iterator[str]:
    """Yield a start that is no plain ViT, and a share of masked patches that leaves none."""
    yield from _of_images(unit.backbone)
    patch, size = unit.backbone.patch, unit.recipe["input_size"]
    if patch and size % patch == 0:
        yield from filter(None, [mask_refusal(unit.options["mask"], (size // patch) ** 2)])


def of_mae3d(unit: Unit) -> Iterator[str]:
    """Yield single images, a start that sees no volumes, and a bad share of masked boxes."""
    for card in unit.dataset.members or (unit.dataset,):
        if card.tasks and card.images_per_study is None:
            yield no_volumes(card.id)
    start, slices = unit.backbone, unit.options["inflate"]
    architecture = _architecture(start)
    if architecture is not None and not architecture.volumes:
        if slices is None:
            yield no_volume_vit(start.id)
        elif architecture.kind != "vit" or architecture.class_token is False:
            yield no_plain_vit(start.id)
        elif architecture.patch and slices % architecture.patch:
            yield (
                f"options.inflate {slices} is not a multiple of the patch size "
                f"{architecture.patch} of {start.id}; use "
                f"{nearest_sizes(slices, architecture.patch)}"
            )
        elif architecture.patch:
            patches = (slices // architecture.patch) * (
                unit.recipe["input_size"] // architecture.patch
            ) ** 2
            if patches:
                yield from filter(None, [mask_refusal(unit.options["mask"], patches)])
    elif slices is not None and architecture is not None:
        yield (
            f"options.inflate is for a backbone of images, and {start.id} sees volumes; leave it "
            "out"
        )
    if start.source_kind == "random" and start.source_name.partition("@")[0] in VOLUME_VITS:
        values, size = VOLUME_VITS[start.source_name.partition("@")[0]], unit.recipe["input_size"]
        depth, height, width = values["patch"]
        patches = (values["slices"] // depth) * (size // height) * (size // width)
        if patches:
            yield from filter(None, [mask_refusal(unit.options["mask"], patches)])


def of_amae(unit: Unit) -> Iterator[str]:
    """Yield a dataset without several contrasts, and a start that is no vision transformer."""
    if unit.dataset.members:
        yield "amae trains on the studies of one dataset; name one, such as mni152-contrasts"
    elif refusal := contrast_refusal(unit.dataset):
        yield refusal
    if refusal := backbone_refusal(unit.backbone):
        yield refusal
    patch, size = unit.backbone.patch, unit.recipe["input_size"]
    if patch == size:
        yield "recipe.input_size is the side of one patch, of which none can be hidden; raise it"
    elif patch and size % patch == 0:  # the fewest that there are, those of one contrast
        yield from filter(None, [mask_refusal(unit.options["mask"], (size // patch) ** 2)])


def _of_images(card: BackboneCard) -> Iterator[str]:
    architecture = _architecture(card)
    if architecture is None:
        return
    if architecture.volumes:
        yield (
            f"'{card.id}' sees volumes, and this method trains on images; take method: mae3d, or "
            "an architecture such as vit-tiny"
        )
    elif architecture.kind != "vit" or architecture.class_token is False:
        yield no_plain_vit(card.id)


def _architecture(card: BackboneCard) -> Any:
    """Return what the name of an architecture tells; None where nothing does."""
    try:
        return named_architecture(card)
    except RequestError:
        return None


def no_volume_vit(name: str) -> str:
    """Return the sentence that refuses a backbone that sees single images."""
    return (
        f"'{name}' sees single images, and mae3d trains on volumes; take an architecture such as "
        "vit3d-tiny, or inflate a vision transformer (inflate: the number of slices)"
    )


def no_volumes(dataset: str) -> str:
    """Return the sentence that refuses a dataset of single images."""
    return (
        f"{dataset} has single images, and mae3d trains on volumes; take method: mae, or a dataset "
        "of studies such as phantom-volume"
    )


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


def mask_refusal(mask: float, patches: int) -> str:
    """Return the sentence that refuses to mask all of so many patches, or none; "" for others."""
    visible = visible_patches(patches, mask)
    if 0 < visible < patches:
        return ""
    hidden, change = ("none", "raise") if visible else ("all", "lower")
    return (
        f"options.mask {mask:g} hides {hidden} of {patches} patches from the encoder; {change} it, "
        "or give a larger input_size"
    )


def no_single_labels(reference: str) -> str:
    """Return the sentence that refuses a dataset for the online evaluation."""
    return f"knn: {reference} has not one label an image; name a dataset of classification"

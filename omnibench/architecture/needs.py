"""What a unit asks of a backbone that its architecture is known not to give. No torch here."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from omnibench.architecture.facts import Architecture
from omnibench.cards import BackboneCard
from omnibench.recipe import CARD, pooled_as

if TYPE_CHECKING:
    from omnibench.task import Adaptation

LEVELS = 3  # maps that tasks on maps take of a ViT's blocks


def needs_of_backbone(
    card: BackboneCard,
    architecture: Architecture | None,
    adaptation: "Adaptation",
    recipe: Mapping[str, Any],
) -> tuple[str, ...]:
    """Return what blocks a unit before anything is loaded, each with the way out.

    Args:
        architecture: of the backbone; None where nothing tells it, and nothing is blocked.
        recipe: resolved.
    """
    if architecture is None:
        return ()
    wrong = (
        *_of_input(architecture, int(recipe["input_size"])),
        *_of_pool(card, architecture, recipe),
        *_of_features(card, architecture, adaptation),
    )
    return tuple(f"backbone {card.id}: {sentence}" for sentence in wrong)


def _of_input(architecture: Architecture, size: int) -> Iterator[str]:
    if architecture.fixed and architecture.input_size != (size, size):
        native = architecture.input_size[0]
        yield f"it takes images of {native} px alone; set input_size: {native} in the recipe"
    elif architecture.patch and size % architecture.patch:
        yield (
            f"input size {size} is not a multiple of its patch size {architecture.patch}; "
            f"use {nearest_sizes(size, architecture.patch)}"
        )


def nearest_sizes(size: int, patch: int) -> str:
    """Name the multiples of a patch size below and above an input size."""
    below = size // patch * patch
    return f"{below} or {below + patch}" if below else str(patch)


def _of_pool(
    card: BackboneCard, architecture: Architecture, recipe: Mapping[str, Any]
) -> Iterator[str]:
    pool = pooled_as(card, recipe).pool
    if pool in ("cls", "cls+mean") and architecture.class_token is False:
        place = "on its card" if recipe.get("pool", CARD) == CARD else "in the recipe"
        yield f"it has no class token; set pool='mean' {place}"
    if card.norm_after_pool and architecture.kind == "cnn":
        yield "it has no final norm of tokens to pool before; leave norm_after_pool off its card"


def _of_features(
    card: BackboneCard, architecture: Architecture, adaptation: "Adaptation"
) -> Iterator[str]:
    takes = adaptation.takes
    if takes == "embed_volumes":
        if not architecture.volumes:
            yield f"it sees single images, no volumes; leave {adaptation.name} to other ones"
    elif takes != "embed" and not architecture.gives_maps:
        yield f"it gives one vector an image, no {takes}; leave {adaptation.name} to other ones"
    elif takes == "maps" and not architecture.staged:
        yield (
            "it gives the map of its end alone, and maps of its stages are asked for; "
            f"leave {adaptation.name} to other ones"
        )
    if (adaptation.needs == "module" or adaptation.through_backbone) and not architecture.trainable:
        yield f"nothing of it can be trained; leave {adaptation.name} to other ones"
    depth = architecture.depth or card.depth
    if takes == "maps" and architecture.kind == "vit" and depth and depth < LEVELS:
        yield (
            f"maps are taken at each third of its blocks, and it has {depth} of them; "
            f"leave {adaptation.name} to other ones"
        )

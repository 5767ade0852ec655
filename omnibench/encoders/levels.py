"""The three levels of a backbone that tasks on maps take.

A ViT's are the blocks that end each third of it (3, 7 and 11 of twelve); a CNN's are its strides 8,
16 and 32, or the coarsest three that it has.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from omnibench.cards import BackboneCard
from omnibench.encoders import Encoder
from omnibench.errors import RequestError

STRIDES = (8, 16, 32)


@dataclass(frozen=True)
class Levels:
    """Which maps a task on maps takes from a backbone.

    Attributes:
        layers: a ViT's blocks or a CNN's strides.
        tokens: whether they are a ViT's, all of one size.
    """

    layers: tuple[int, ...]
    tokens: bool


def levels_of(encoder: Encoder, card: BackboneCard) -> Levels:
    """The three levels of a backbone.

    Raises:
        RequestError: a ViT whose number of blocks nothing tells, or is less than three.
    """
    depth = getattr(encoder, "depth", None) or card.depth
    if depth is None and card.patch is None:
        return Levels(_coarsest(getattr(encoder, "strides", STRIDES)), tokens=False)
    if depth is None or depth < len(STRIDES):
        raise RequestError(
            f"{card.id}: maps are taken at each third of its blocks, and "
            f"{'nothing tells how many it has' if depth is None else f'it has {depth} of them'}; "
            "set depth on its card, or leave out both depth and patch for a CNN"
        )
    return Levels(tuple(depth * third // 3 - 1 for third in (1, 2, 3)), tokens=True)


def _coarsest(strides: Sequence[int]) -> tuple[int, ...]:
    """Choose three strides: the usual ones or, without them, the coarsest, the last one again."""
    if set(STRIDES) <= set(strides):
        return STRIDES
    chosen = sorted(set(strides))[-len(STRIDES) :]
    return (*chosen, *chosen[-1:] * (len(STRIDES) - len(chosen)))

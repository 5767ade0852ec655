"""Floors, which a backbone should stand above: features of the pixels that nothing has learnt."""

from typing import TYPE_CHECKING

from omnibench import BackboneCard, register_backbone

if TYPE_CHECKING:
    from torch import nn


def pixels() -> "nn.Module":
    """Build the floor of the image itself."""
    from omnibench.encoders.floors import Pixels

    return Pixels()


def image_statistics() -> "nn.Module":
    """Build the floor of grey levels and edges."""
    from omnibench.encoders.floors import ImageStatistics

    return ImageStatistics()


def random_conv() -> "nn.Module":
    """Build the floor of random filters: one draw, as seed 0 gives it."""
    from omnibench.encoders.floors import RandomConv

    return RandomConv()


for builder, display, citation in (
    (pixels, "Pixels", ""),
    (image_statistics, "Image statistics", ""),
    (
        random_conv,
        "Random convolutions",
        "Coates, Ng & Lee 2011, An analysis of single-layer networks in unsupervised feature "
        "learning",
    ),
):
    register_backbone(
        BackboneCard(
            id=builder.__name__.replace("_", "-"),
            family="floor",
            source=f"{__name__}:{builder.__name__}",
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
            licence="Apache-2.0",
            citation=citation,
            display=display,
        )
    )

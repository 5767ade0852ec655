"""Floors: what stands below every backbone, features of the pixels that nothing has learnt.

A floor is known by its builder, so that a card of id and source alone is the same floor. No torch
here; what `omnibench.backbones.floors` builds stands in `omnibench.encoders.floors`.
"""

from omnibench.architecture.facts import Architecture
from omnibench.cards import BackboneCard

BUILDERS = "omnibench.backbones.floors"
PIXEL_SIDE = 28  # MedMNIST's
BINS, ORIENTATIONS, MOMENTS = 48, 8, 4
FILTERS, FILTER_SIDE, CONV_SIDE, QUARTERS = 512, 7, 56, 4
_STEPS = CONV_SIDE // 2  # of a filter across the image, two pixels each

# A multiplication and an addition are two; those of the other two are next to nothing.
_CONVOLUTION = 2.0 * FILTERS * 3 * FILTER_SIDE**2 * _STEPS**2

FLOORS = {
    f"{BUILDERS}:{name}": Architecture(
        "other", width=width, trainable=False, flops=flops, mean=(0.5,) * 3, std=(0.5,) * 3
    )
    for name, width, flops in (
        ("pixels", 3 * PIXEL_SIDE**2, 1.0),
        ("image_statistics", BINS + ORIENTATIONS + 2 + 3 * MOMENTS, 1.0),
        ("random_conv", FILTERS * QUARTERS, _CONVOLUTION),
    )
}


def is_floor(card: BackboneCard) -> bool:
    """Return whether a backbone is a floor."""
    return card.source in FLOORS

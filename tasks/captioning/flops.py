"""What a BART costs, for `plan`. No torch."""

from typing import NamedTuple

from omnibench.cell import Unit

VISUAL_TOKENS, WORDS = 64, 64  # what the study's encoder reads, and a caption with room


class Size(NamedTuple):
    """Of a BART: width, layers of encoder and decoder each, feed-forward width, vocabulary."""

    width: int
    layers: int
    inner: int
    vocabulary: int


SIZES = {
    "bart-tiny": Size(128, 2, 512, 1000),
    "bart-small": Size(256, 3, 1024, 1000),
    "bart-base": Size(768, 6, 3072, 50_265),
    "bart-large": Size(1024, 12, 4096, 50_265),
}


def language_flops(name: str, unit: Unit) -> float:
    """FLOPs of one forward over 64 visual tokens and 64 words: two a parameter and token.

    The projection of the backbone's tokens is next to nothing. A folder's BART is taken for
    bart-base.
    """
    width, layers, inner, vocabulary = SIZES.get(name, SIZES["bart-base"])
    encoder = layers * (4 * width**2 + 2 * width * inner)
    decoder = layers * (8 * width**2 + 2 * width * inner) + width * vocabulary
    return 2.0 * (VISUAL_TOKENS * encoder + WORDS * decoder)

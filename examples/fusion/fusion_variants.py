"""Variants of images and of texts, and what a linear head sees of a text. No torch."""

import itertools
import re
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from scipy import ndimage

from omnibench import Images

VERSION = 1  # in the name of kept features: to be raised when variants become other images
DEGREES, SHIFT, NOISE = 10.0, 0.05, 5.0  # up to, up to this share of the side, in grey levels
BUCKETS = 512  # that n-grams are hashed to
Pixels = NDArray[np.uint8]


def varied(image: Pixels, random: Generator) -> Pixels:
    """Return an image, [H, W] or [H, W, 3], mirrored or not, turned, shifted and noisy."""
    image = image[:, ::-1] if random.random() < 0.5 else image
    angle = random.uniform(-DEGREES, DEGREES)
    shift = (*random.uniform(-SHIFT, SHIFT, 2) * image.shape[:2], *[0] * (image.ndim - 2))
    moved = ndimage.rotate(image.astype(float), angle, reshape=False, order=1, mode="nearest")
    moved = ndimage.shift(moved, shift, order=1, mode="nearest")
    noisy = moved + random.normal(0, NOISE, image.shape)
    return np.asarray(np.clip(noisy, 0, 255) + 0.5, np.uint8)


@dataclass(frozen=True)
class Variants(Images):
    """Each image as it is, then its variants: `count` in all, those of image i from i count on."""

    clean: Images
    count: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.clean.shape[0] * self.count, *self.clean.shape[1:])

    def read(self, start: int, stop: int) -> Pixels:
        return self.read_rows(np.arange(start, stop))

    def read_rows(self, indices: NDArray[np.int64]) -> Pixels:
        images = zip(self.clean.read_rows(indices // self.count), indices.tolist(), strict=True)
        pairs = ((image, divmod(index, self.count)) for image, index in images)
        return np.stack([varied(img, default_rng(at)) if at[1] else img for img, at in pairs])


def words_of(text: str, classes: Collection[str] = ()) -> list[str]:
    """Return the words of a text in lower case, without those in the name of a class."""
    answers = {word for name in classes for word in words_of(name)}
    return [word for word in re.findall(r"[a-z0-9]+", text.lower()) if word not in answers]


def text_variants(words: Sequence[str], count: int, drop: float, seed: int) -> list[list[str]]:
    """Return `count` texts: the first whole, the others without a share `drop` of the words."""
    stays = default_rng(seed).random((count, len(words))) >= drop
    stays[0] = True
    return [list(itertools.compress(words, row)) for row in stays]


def hashed(texts: Sequence[Sequence[str]]) -> NDArray[np.float32]:
    """Return [N, BUCKETS]: how often words and pairs of neighbours fall into each bucket.

    Rows are scaled to a mean square of 1; that of a text without words is 0.
    """
    counts = np.zeros((len(texts), BUCKETS), np.float32)
    for row, words in zip(counts, texts, strict=True):
        for gram in [*words, *map(" ".join, itertools.pairwise(words))]:
            row[zlib.crc32(gram.encode()) % BUCKETS] += 1
    counts /= np.maximum(np.sqrt(np.square(counts).mean(axis=1, keepdims=True)), 1e-6)
    return counts

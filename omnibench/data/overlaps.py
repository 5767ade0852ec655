"""What two splits of a dataset share: images pixel by pixel, and groups (patients)."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omnibench.data.images import Images, is_native
from omnibench.data.split import Dataset

BLOCK_PIXELS = 1 << 24
Splits = tuple[str, str]
Pair = tuple[int, int]  # index of an image in the one split, and in the other


@dataclass(frozen=True, slots=True)
class Hashed:
    """An image by its content, which tells other sizes apart too."""

    split: str
    index: int
    shape: tuple[int, ...]
    digest: bytes


def hashed_images(dataset: Dataset) -> Iterator[Hashed]:
    """Yield every image of every split, those of files at their own size."""
    for name, split in dataset.splits.items():
        for index, image in enumerate(_images(split.images)):
            content = hashlib.blake2b(repr(image.shape).encode(), digest_size=16)
            content.update(np.ascontiguousarray(image).data)
            yield Hashed(name, index, image.shape, content.digest())


def identical_images(hashed: Iterable[Hashed]) -> Mapping[Splits, list[Pair]]:
    """Return the images of a split that one of a split before is, with the first of these."""
    first: dict[bytes, tuple[str, int]] = {}
    pairs: dict[Splits, list[Pair]] = {}
    for image in hashed:
        split, index = first.setdefault(image.digest, (image.split, image.index))
        if split != image.split:
            pairs.setdefault((split, image.split), []).append((index, image.index))
    return pairs


def shared_groups(dataset: Dataset) -> Mapping[Splits, list[Pair]]:
    """Return, for each group in two splits, its first image in both: no patient is named."""
    names = list(dataset.splits)
    groups = {
        name: set() if split.groups is None else set(split.groups.tolist())
        for name, split in dataset.splits.items()
    }
    return {
        (first, second): [
            (_first(dataset, first, group), _first(dataset, second, group)) for group in shared
        ]
        for index, first in enumerate(names)
        for second in names[index + 1 :]
        if (shared := sorted(groups[first] & groups[second]))
    }


def _first(dataset: Dataset, split: str, group: str) -> int:
    groups = dataset.splits[split].groups
    assert groups is not None
    return int(np.argmax(groups == group))


def _images(images: Images) -> Iterator[NDArray[np.uint8]]:
    if is_native(images):
        yield from (images.read_native(index) for index in range(images.shape[0]))
        return
    step = max(1, BLOCK_PIXELS // math.prod(images.shape[1:]))
    for start in range(0, images.shape[0], step):
        yield from images.read(start, start + step)

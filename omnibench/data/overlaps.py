"""What two splits of a dataset share: images or studies pixel by pixel, and groups (patients)."""

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
Pair = tuple[int, int]  # index of a case in the one split, and in the other


@dataclass(frozen=True, slots=True)
class Hashed:
    """An image, or all images of a study, by content, which tells other sizes apart too.

    Attributes:
        shape: of the first image.
    """

    split: str
    index: int
    shape: tuple[int, ...]
    digest: bytes


def hashed_cases(dataset: Dataset) -> Iterator[Hashed]:
    """Yield every case of every split, its images at their files' own size.

    Of studies whole ones, since slices that show nothing are all the same.
    """
    for name, split in dataset.splits.items():
        cases = split.study_of_image if split.by_study else np.arange(len(split))
        contents = [hashlib.blake2b(digest_size=16) for _ in range(split.cases)]
        shapes: dict[int, tuple[int, ...]] = {}
        for case, image in zip(cases.tolist(), _images(split.images), strict=True):
            contents[case].update(repr(image.shape).encode())
            contents[case].update(np.ascontiguousarray(image).data)
            shapes.setdefault(case, image.shape)
        for case, content in enumerate(contents):
            yield Hashed(name, case, shapes[case], content.digest())


def identical_cases(hashed: Iterable[Hashed]) -> Mapping[Splits, list[Pair]]:
    """Return the cases of a split that one of a split before is, with the first of these."""
    first: dict[bytes, tuple[str, int]] = {}
    pairs: dict[Splits, list[Pair]] = {}
    for case in hashed:
        split, index = first.setdefault(case.digest, (case.split, case.index))
        if split != case.split:
            pairs.setdefault((split, case.split), []).append((index, case.index))
    return pairs


def shared_groups(dataset: Dataset) -> Mapping[Splits, list[Pair]]:
    """Return, for each group in two splits, its first case in both: no patient is named."""
    names = list(dataset.splits)
    cases: dict[str, dict[str, int]] = {}
    for name, split in dataset.splits.items():
        groups = [] if split.case_groups is None else split.case_groups.tolist()
        cases[name] = {group: len(groups) - 1 - i for i, group in enumerate(reversed(groups))}
    return {
        (first, second): [(cases[first][group], cases[second][group]) for group in shared]
        for index, first in enumerate(names)
        for second in names[index + 1 :]
        if (shared := sorted(cases[first].keys() & cases[second].keys()))
    }


def _images(images: Images) -> Iterator[NDArray[np.uint8]]:
    if is_native(images):
        yield from (images.read_native(index) for index in range(images.shape[0]))
        return
    step = max(1, BLOCK_PIXELS // math.prod(images.shape[1:]))
    for start in range(0, images.shape[0], step):
        yield from images.read(start, start + step)

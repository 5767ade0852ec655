"""What a corruption and a set of them are."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

SEVERITIES = (1, 2, 3, 4, 5)

Image = NDArray[np.uint8]  # [H, W] or [H, W, 3]
Apply = Callable[[Image, Any, np.random.Generator], Image]
Levels = tuple[Any, ...]  # one for each of SEVERITIES


@dataclass(frozen=True)
class Corruption:
    """One way to spoil an image, at five severities.

    Attributes:
        apply: a function (image, level, random numbers) -> image, which draws the same numbers at
            every level, so that a case's severities differ in their strength alone.
        levels: what `apply` is given at severities 1 to 5.
        moves: whether it moves what an image shows, so that a mask of it is no longer true.
    """

    apply: Apply
    levels: Levels
    moves: bool = False


@dataclass(frozen=True)
class CorruptionSet:
    """Corruptions by name.

    Attributes:
        general: those of any dataset.
        own: of datasets with lists of their own, by `name_of` the dataset.
        citation: where the formulas and the levels are from.
    """

    general: Mapping[str, Corruption]
    citation: str
    own: Mapping[str, Mapping[str, Corruption]] = field(default_factory=dict)

    def of_dataset(self, dataset: str) -> Mapping[str, Corruption]:
        """Return the set's corruptions of a dataset: its own list, or else the general one."""
        return self.own.get(name_of(dataset), self.general)

    def corruption(self, name: str, dataset: str = "") -> Corruption:
        """Return a corruption at a dataset's own levels, or at the general ones where it has none.

        Raises:
            KeyError: the set has none of this name.
        """
        own = self.of_dataset(dataset)
        return own[name] if name in own else self.general[name]


def name_of(dataset: str) -> str:
    """Return a dataset's name without its file's kind and the side of its images.

    "breastmnist" of "breastmnist-28", and of "npz-breastmnist_224", a local file.
    """
    match = re.fullmatch(r"(?:npz-)?(.+?)(?:[-_]\d+)?", dataset)
    return match[1] if match else dataset

"""Which of a unit's training and validation images are of low quality, under a mix of two."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from omnibench.cell import Unit
from omnibench.data import Dataset, Images, Labels, Split
from omnibench.data.label_subset import Subset, drawn_rows
from omnibench.data.views import corrupted_split
from omnibench.label_budget import LabelBudget
from omnibench.views import Mix

Rows = NDArray[np.int64]
MIXED = ("train", "val")  # the splits of which a share is of low quality


@dataclass(frozen=True)
class JoinedImages(Images):
    """The images of two, one after the other; both are of one size."""

    first: Images
    second: Images

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.first.shape[0] + self.second.shape[0], *self.first.shape[1:])

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        return self.read_rows(np.arange(start, min(stop, self.shape[0])))

    def read_rows(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        images = np.empty((len(indices), *self.shape[1:]), np.uint8)
        count = self.first.shape[0]
        of_first = indices < count
        images[of_first] = self.first.read_rows(indices[of_first])
        images[~of_first] = self.second.read_rows(indices[~of_first] - count)
        return images


@dataclass(frozen=True)
class Qualities:
    """The training and validation images of a dataset, as they are and of low quality.

    Attributes:
        clean: the dataset as it is.
        parts: of each split, what a unit reads of it: by the name that its features have, the
            images as they are, their copies of low quality, or both in this order.
    """

    clean: Dataset
    parts: Mapping[str, Mapping[str, Split]]

    @classmethod
    def from_mix(cls, dataset: Dataset, mix: Mix) -> Self:
        """Return the qualities that a mix takes images of."""
        parts: dict[str, Mapping[str, Split]] = {}
        for name in MIXED:
            split = dataset.splits[name]
            copies = corrupted_split(split, mix.low, dataset.card.id, name)
            of_each = {name: split, f"{name}@{mix.low.name}": copies}
            shares = {name: 1 - mix.train, f"{name}@{mix.low.name}": mix.train}
            parts[name] = {part: split for part, split in of_each.items() if shares[part]}
        return cls(dataset, parts)

    @property
    def pooled(self) -> Dataset:
        """Return the dataset with all parts of its training and validation splits."""
        splits = {name: _joined(*parts.values()) for name, parts in self.parts.items()}
        return replace(self.clean, splits={**self.clean.splits, **splits})

    def mixed(self, subset: Subset, unit: Unit, mix: Mix, repetition: int) -> Subset:
        """Return which rows of the pooled splits a repetition takes, one for each of a subset.

        Those of low quality are drawn as label budgets are, among the images that the budget
        leaves: nested over shares, stratified, patients whole, the same for every backbone and
        adaptation.
        """
        rows = dict(zip(MIXED, (subset.train, subset.val), strict=True))
        lows = {name: self._low(name, own, unit, mix, repetition) for name, own in rows.items()}
        if len(self.parts["train"]) > 1:
            for name, low in lows.items():
                rows[name] = rows[name] + low * len(self.clean.splits[name])
        facts: dict[str, Any] = {**subset.facts, "low": int(lows["train"].sum())}
        return replace(subset, train=rows["train"], val=rows["val"], facts=facts)

    def _low(
        self, name: str, rows: Rows, unit: Unit, mix: Mix, repetition: int
    ) -> NDArray[np.bool_]:
        low = np.zeros(len(rows), np.bool_)
        if mix.train:
            split = self.clean.splits[name].take(rows)
            labels = split.target("labels", Labels).values if "labels" in split.targets else None
            budget = LabelBudget(share=Fraction(str(mix.train)))
            seed = unit.subset_seed(repetition, "quality")
            low[drawn_rows(len(rows), budget, seed, labels, split.groups)] = True
        return low


def _joined(split: Split, other: Split | None = None) -> Split:
    """Return the images of two splits with their labels and groups, one after the other."""
    if other is None:
        return split
    labels = [part.target("labels", Labels).values for part in (split, other)]
    groups = None
    if split.groups is not None and other.groups is not None:
        groups = np.concatenate([split.groups, other.groups])
    images = JoinedImages(split.images, other.images)
    return Split(images, {"labels": Labels(np.concatenate(labels))}, groups)

"""Which of a unit's training and validation images are of low quality, under a mix of two."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Self

import numpy as np
from numpy.typing import NDArray

from omnibench.cell import Unit
from omnibench.data import Dataset, Images, Labels, Split
from omnibench.data.label_subset import Subset, drawn_rows, facts_of
from omnibench.data.views import corrupted_split
from omnibench.errors import DataError
from omnibench.label_budget import LabelBudget
from omnibench.views import QUALITY, SEVERAL_LABELS, Mix, Scored, no_scores

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
    """The training and validation images of a dataset, of high and of low quality.

    Attributes:
        mix: what a unit takes of them.
        clean: the dataset as it is.
        parts: of each split, what a unit reads of it: by the name that its features have, the
            images as they are, their copies of low quality, or both in this order.
        low: of images that have scores, which of each split are of low quality.
    """

    mix: Mix
    clean: Dataset
    parts: Mapping[str, Mapping[str, Split]]
    low: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    @classmethod
    def from_mix(cls, dataset: Dataset, mix: Mix) -> Self:
        """Return the qualities that a mix takes images of.

        Raises:
            DataError: a dataset of scored images lacks a score, or images of a class and quality.
        """
        if isinstance(mix.low, Scored):
            low = low_by_scores(dataset, mix.low)
            return cls(mix, dataset, {n: {n: dataset.splits[n]} for n in MIXED}, low)
        parts: dict[str, Mapping[str, Split]] = {}
        for name in MIXED:
            split = dataset.splits[name]
            copies = corrupted_split(split, mix.low, dataset.card.id, name)
            of_each = {name: split, f"{name}@{mix.low.name}": copies}
            shares = {name: 1 - mix.train, f"{name}@{mix.low.name}": mix.train}
            parts[name] = {part: split for part, split in of_each.items() if shares[part]}
        return cls(mix, dataset, parts)

    @property
    def pooled(self) -> Dataset:
        """Return the dataset with all parts of its training and validation splits."""
        splits = {name: _joined(*parts.values()) for name, parts in self.parts.items()}
        return replace(self.clean, splits={**self.clean.splits, **splits})

    def mixed(self, subset: Subset, unit: Unit, repetition: int) -> Subset:
        """Return which rows of the pooled splits a repetition takes.

        Of images without scores these are one for each of a subset, and those of low quality are
        drawn as label budgets are, among the images that the budget leaves: nested over shares,
        stratified, patients whole, the same for every backbone and adaptation. Of scored images
        they are as many of each class as every share allows; of either quality the first of one
        order, so that those of low quality are nested, too.
        """
        rows = dict(zip(MIXED, (subset.train, subset.val), strict=True))
        seed = unit.subset_seed(repetition, QUALITY)
        if isinstance(self.mix.low, Scored):
            scored = self.mix.low
            rows = {name: self._of_scored(name, own, scored, seed) for name, own in rows.items()}
            train, classes = self.clean.splits["train"], self.clean.card.classes
            facts = facts_of(train, rows["train"], "labels", classes)
            facts["low"] = int(self.low["train"][rows["train"]].sum())
            if "validation" in subset.facts:
                facts["validation"] = len(rows["val"])
            whole = len(rows["train"])
        else:
            lows = {name: self._drawn(name, own, seed) for name, own in rows.items()}
            facts = {**subset.facts, "low": int(lows["train"].sum())}
            if len(self.parts["train"]) > 1:
                for name, low in lows.items():
                    rows[name] = rows[name] + low * len(self.clean.splits[name])
            whole = subset.whole
        return Subset(rows["train"], rows["val"], whole, facts)

    def _drawn(self, name: str, rows: Rows, seed: int) -> NDArray[np.bool_]:
        """Return which of some rows of a split are taken as copies of low quality."""
        low = np.zeros(len(rows), np.bool_)
        if self.mix.train:
            split = self.clean.splits[name].take(rows)
            budget = LabelBudget(share=Fraction(str(self.mix.train)))
            labels = split.target("labels", Labels).values
            low[drawn_rows(len(rows), budget, seed, labels, split.groups)] = True
        return low

    def _of_scored(self, name: str, rows: Rows, scored: Scored, seed: int) -> Rows:
        """Return the rows that a share takes of a split's images of either quality."""
        labels = self.clean.target(name, "labels", Labels).values[rows]
        low = self.low[name][rows]
        order = np.random.default_rng(seed).permutation(len(rows))
        taken = []
        for label in np.unique(labels):
            of_low, of_high = (
                order[(labels[order] == label) & (low[order] == quality)]
                for quality in (True, False)
            )
            count = most_of(len(of_low), len(of_high), scored.shares)
            lows = int(self.mix.train * count + 0.5)
            taken += [of_low[:lows], of_high[: count - lows]]
        chosen: Rows = np.sort(rows[np.concatenate(taken)])
        return chosen


def most_of(low: int, high: int, shares: Sequence[float]) -> int:
    """Return the largest number of images of which each share can be of low quality."""
    needs = [(low, Fraction(str(share))) for share in shares]
    needs += [(high, 1 - share) for _, share in needs]
    return min(int(count / share) for count, share in needs if share)


def low_by_scores(dataset: Dataset, scored: Scored) -> dict[str, NDArray[np.bool_]]:
    """Return which images of each split have a low score.

    Raises:
        DataError: scores are absent or not numbers, images have several labels, or a class has no
            image of one of the two qualities in some split.
    """
    where, low = dataset.card.id, dict[str, NDArray[np.bool_]]()
    below = scored.below
    for name in (*MIXED, "test"):
        split = dataset.splits[name]
        scores = split.columns.get(QUALITY)
        if scores is None or scores.dtype.kind != "f" or not np.isfinite(scores).all():
            raise DataError(f"{where}: {no_scores(name)}")
        below = float(np.median(scores)) if below is None else below
        low[name] = scores < below
        labels = split.target("labels", Labels).values
        if labels.ndim > 1:
            raise DataError(f"{where}: {SEVERAL_LABELS}")
        for label in np.unique(labels):
            for quality, words in ((True, "below"), (False, "of at least")):
                if not (low[name][labels == label] == quality).any():
                    raise DataError(
                        f"{where}: no image of the class '{dataset.card.classes[label]}' in {name} "
                        f"has a quality {words} {below:g}; set `below` where both are, or leave "
                        "the mix out"
                    )
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

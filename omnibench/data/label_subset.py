"""The training images that a label budget leaves a repetition: nested, stratified, by patient.

The draw knows the suite's seed, dataset, task and repetition and nothing else, so every backbone,
adaptation and budget sees the same images, and a smaller budget a part of a larger one's. The test
split is never cut; the validation split is where the recipe says `selection: matched-val`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.cell import Unit
from omnibench.data.split import Dataset, Split
from omnibench.data.targets import Labels
from omnibench.label_budget import LabelBudget

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Subset:
    """What a repetition trains on and chooses by.

    Attributes:
        train, val: cases of these splits, images or studies, by their places, in their order.
        whole: cases of the training split.
        facts: for the record: of the training cases their number, patients, per_class and the
            SHA-256 of their places; and how many validation cases it chooses by.
    """

    train: Rows
    val: Rows
    whole: int
    facts: Mapping[str, Any]

    @classmethod
    def from_dataset(
        cls, unit: Unit, repetition: int, dataset: Dataset, labels: str | None = None
    ) -> "Subset":
        """Draw a repetition's images of a dataset as the recipe's limit has cut it.

        Args:
            labels: name of the target by whose classes it is stratified; None where a task has
                none, such as of masks and captions.
        """
        budget, seed = LabelBudget.from_text(unit.labels), unit.subset_seed(repetition)
        train = dataset.splits["train"]
        rows = _drawn(train, budget, seed, labels)
        val, selection = dataset.splits["val"], unit.recipe.get("selection", "full-val")
        matched = selection == "matched-val"
        val_rows = _drawn(val, budget, seed, labels) if matched else np.arange(val.cases)
        facts = facts_of(train, rows, labels, dataset.card.classes)
        facts["validation"] = 0 if selection == "last" else len(val_rows)
        return cls(rows, val_rows, train.cases, facts)

    @classmethod
    def from_count(cls, count: int) -> "Subset":
        """Return all images of a training split of which nothing else is known."""
        rows = np.arange(count)
        return cls(rows, rows[:0], count, {"images": count, "sha256": _hash(rows)})

    def of(self, dataset: Dataset) -> Dataset:
        """Return a dataset with these cases of its training and validation splits, or itself."""
        rows = {"train": self.train, "val": self.val}
        cut = {
            name: dataset.splits[name].take_cases(own)
            for name, own in rows.items()
            if len(own) < dataset.splits[name].cases
        }
        return replace(dataset, splits={**dataset.splits, **cut}) if cut else dataset


def _drawn(split: Split, budget: LabelBudget, seed: int, labels: str | None) -> Rows:
    values = None if labels is None else split.target(labels, Labels).values
    return drawn_rows(split.cases, budget, seed, values, split.case_groups)


def drawn_rows(
    count: int,
    budget: LabelBudget,
    seed: int,
    labels: NDArray[np.int64] | None = None,
    groups: NDArray[np.str_] | None = None,
) -> Rows:
    """Return the rows of a split that a budget leaves, in their order.

    Patients are permuted once and taken whole, each image being its own patient where none are
    known. Of classes a patient belongs to the rarest that it shows; each class takes patients of
    its own, then others that show it, until its images are there. Of several labels an image, a
    share takes patients in order until its images are there, and the first that shows each label;
    a number of each takes the first that show each label, and of those images that show none.
    Without labels a share takes patients in order.

    Args:
        count: N images of the split.
        labels: [N] class indices, or [N, L] zeros and ones.
        groups: [N] patients.
    """
    if budget.share == 1:
        return np.arange(count)
    patients = np.arange(count) if groups is None else np.unique(groups, return_inverse=True)[1]
    order = np.random.default_rng(seed).permutation(int(patients.max()) + 1)
    if labels is None:
        taken = _first(order, np.bincount(patients), budget.of(count))
    elif labels.ndim == 1:
        taken = _by_class(order, _counts(patients, labels[:, None] == np.unique(labels)), budget)
    else:
        taken = _by_label(order, patients, labels == 1, budget)
    chosen = np.zeros(len(order), bool)
    chosen[taken] = True
    return np.flatnonzero(chosen[patients])


def _by_class(order: Rows, shown: Rows, budget: LabelBudget) -> Rows:
    """Return the patients of a single-label split; `shown` [P, C] counts each one's images."""
    sizes = shown.sum(axis=0)
    rarest = np.where(shown > 0, sizes, sizes.max() + 1).argmin(axis=1)
    parts = []
    for index, size in enumerate(sizes):
        own = order[rarest[order] == index]
        others = order[(rarest[order] != index) & (shown[order, index] > 0)]
        # Of a share the images of others come with their own class; numbers are to be met.
        images = size if budget.shots is not None else max(1, shown[own, index].sum())
        queue = np.concatenate([own, others])
        parts.append(_first(queue, shown[:, index], budget.of(int(images))))
    return np.concatenate(parts)


def _by_label(
    order: Rows, patients: Rows, positive: NDArray[np.bool_], budget: LabelBudget
) -> Rows:
    """Return the patients of a multi-label split; `positive` [N, L]."""
    if budget.shots is not None:
        none = ~positive.any(axis=1, keepdims=True)
        shown = _counts(patients, np.hstack([positive, none]))
        parts, targets = [], [budget.of(int(size)) for size in shown.sum(axis=0)]
    else:
        shown = _counts(patients, positive)
        parts = [_first(order, np.bincount(patients), budget.of(len(patients)))]
        # The first that show a label are in that prefix of the order, or nest beside it.
        targets = [1] * shown.shape[1]
    for images, target in zip(shown.T, targets, strict=True):
        parts.append(_first(order[images[order] > 0], images, target))
    return np.concatenate(parts)


def _first(queue: Rows, images: Rows, target: int) -> Rows:
    """Return as many of the first patients as have so many images between them."""
    if target == 0:
        return queue[:0]
    ends = np.cumsum(images[queue])
    return queue[: int(np.searchsorted(ends, target)) + 1]


def _counts(patients: Rows, shows: NDArray[np.bool_]) -> Rows:
    """Return how many images of each patient show each class [P, C], of `shows` [N, C]."""
    counts = np.zeros((int(patients.max()) + 1, shows.shape[1]), np.int64)
    np.add.at(counts, patients, shows)
    return counts


def facts_of(
    split: Split, rows: Rows, labels: str | None, names: tuple[str, ...]
) -> dict[str, Any]:
    facts: dict[str, Any] = {"studies" if split.by_study else "images": len(rows)}
    if split.case_groups is not None:
        facts["patients"] = len(np.unique(split.case_groups[rows]))
    if labels is not None:
        values = split.target(labels, Labels).values[rows]
        several = values.ndim == 2
        counts = values.sum(axis=0) if several else np.bincount(values, minlength=len(names))
        facts["per_class"] = dict(zip(names, counts.tolist(), strict=True))
    return {**facts, "sha256": _hash(rows)}


def _hash(rows: Rows) -> str:
    return hashlib.sha256(np.ascontiguousarray(rows, "<i8").tobytes()).hexdigest()

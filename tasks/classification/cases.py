"""The labelled images of a classification dataset, checked, and what is stored of predictions."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import Dataset, Labels, Split
from omnibench.data.columns import stored
from omnibench.data.label_subset import Subset
from omnibench.data.noisy_labels import agreement, learnt_from_noisy
from omnibench.data.quality import Qualities
from omnibench.data.subset import unit_dataset
from omnibench.data.views import TEST, ViewSplit, view_splits
from omnibench.errors import DataError
from omnibench.mixing import LOW as TEST_LOW
from omnibench.mixing import SHARES
from omnibench.stats.rates import confusion, macro_f1
from omnibench.views import LOW

from .metrics import omnirad_classification
from .refusals import no_validation_auc, too_small_limit, untrained_class
from .retfound import retfound


@dataclass(frozen=True)
class Cases:
    """A dataset's cases and their labels a split: [N] class indices, or [N, L] zeros and ones.

    A case is an image, or a study where labels are of studies.

    Attributes:
        views: what else is predicted than the test split, by name.
        qualities: of a mix, what `dataset` holds the training and validation images of.
        agreement: of noisy labels with clean ones, by split; {} where the data have none.
    """

    dataset: Dataset
    labels: Mapping[str, NDArray[np.int64]]
    views: Mapping[str, ViewSplit] = field(default_factory=dict)
    qualities: Qualities | None = None
    agreement: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dataset(cls, dataset: Dataset, limit: int | None = None) -> "Cases":
        """Check that every split has labels and every class a training image.

        Args:
            limit: how many images a split the dataset was cut to.

        Raises:
            DataError: one has not, by name.
        """
        labels = {name: dataset.target(name, "labels", Labels).values for name in dataset.splits}
        train, names = labels["train"], dataset.card.classes
        if limit is not None and train.ndim == 1 and limit < len(names):
            raise DataError(f"{dataset.card.id}: {too_small_limit(limit, len(names))}")
        for index, name in enumerate(names):
            if not (train[:, index] if train.ndim == 2 else train == index).any():
                raise DataError(f"{dataset.card.id}: {untrained_class(name, limit)}")
        return cls(dataset, labels)

    def subset(self, unit: Unit, repetition: int) -> Subset:
        """Return the images that label budget and mix of a unit leave one of its repetitions."""
        if self.qualities is None:
            return Subset.from_dataset(unit, repetition, self.dataset, "labels")
        subset = Subset.from_dataset(unit, repetition, self.qualities.clean, "labels")
        return self.qualities.mixed(subset, unit, repetition)

    def of(self, subset: Subset) -> "Cases":
        """Return the cases with these images of the training and validation splits."""
        labels = {"train": self.labels["train"][subset.train]}
        labels["val"] = self.labels["val"][subset.val]
        return replace(self, dataset=subset.of(self.dataset), labels={**self.labels, **labels})

    @property
    def classes(self) -> int:
        """Number of classes, or of labels."""
        return len(self.dataset.card.classes)

    @property
    def multi_label(self) -> bool:
        """Whether an image may show several classes."""
        return self.labels["train"].ndim == 2

    @property
    def tested(self) -> dict[str, Split]:
        """Return what a trained model predicts: "test", and "test@VIEW" of each view."""
        views = {f"{TEST}@{name}": view.split for name, view in self.views.items()}
        return {TEST: self.dataset.splits[TEST], **views}

    def digests(self) -> dict[str, str]:
        """Return the hashes of the arrays that were read, those of other datasets too."""
        digests = dict(self.dataset.digests)
        for name, view in self.views.items():
            digests |= {f"{part}@{name}": digest for part, digest in view.digests.items()}
        return digests

    def notes(self) -> dict[str, Any]:
        """Return why the test AUC is undefined, by class, and what other datasets have."""
        others = {
            name: {"images": len(view.split), "left_out": len(view.whole) - len(view.split)}
            for name, view in self.views.items()
            if view.own_cases
        }
        beside = {"test_on": others, "noisy_labels": dict(self.agreement)}
        return self._undefined() | {name: facts for name, facts in beside.items() if facts}

    def _undefined(self) -> dict[str, Any]:
        truth = self.labels["test"]
        if truth.ndim == 1:
            truth = (truth[:, None] == np.arange(self.classes)).astype(np.int64)
        shares = truth.mean(axis=0).tolist()
        reasons = [
            f"{'every' if share else 'no'} test image shows the class '{name}'"
            for name, share in zip(self.dataset.card.classes, shares, strict=True)
            if share in (0, 1)
        ]
        return {"auc_undefined": "; ".join(reasons)} if reasons else {}

    def predictions(self, logits: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
        """Return the arrays stored beside a record: logits, labels, case; group and columns.

        Args:
            logits: of "val" and of each of `tested`.
        """
        arrays: dict[str, NDArray[Any]] = {}
        for name in ("val", "test"):
            split = self.dataset.splits[name]
            arrays[f"{name}_logits"] = logits[name].astype(np.float32)
            arrays[f"{name}_labels"] = self.labels[name]
            arrays[f"{name}_case"] = np.arange(split.cases, dtype=np.int64)
            if split.case_groups is not None:
                arrays[f"{name}_group"] = split.case_groups
        for name, view in self.views.items():
            arrays[f"test_logits@{name}"] = logits[f"{TEST}@{name}"].astype(np.float32)
            arrays |= view.arrays(name)
            if view.own_cases:
                arrays[f"test_labels@{name}"] = view.split.target("labels", Labels).values
        if self.qualities is not None:
            arrays[f"{SHARES}@{LOW}"] = np.array(self.qualities.mix.test, np.float64)
            if self.qualities.low:
                arrays[f"{TEST_LOW}@{LOW}"] = self.qualities.low[TEST]
        return arrays | stored(self.dataset.splits[TEST])


def cases_of(unit: Unit, context: Context) -> Cases:
    """Read a unit's datasets, cut them as its recipe says, and check their labels."""
    dataset, limit = unit_dataset(unit, context), unit.recipe["limit"]
    views, agreed = view_splits(unit, dataset, context), agreement(dataset)
    if unit.recipe.get("train_labels") == "noisy":
        dataset = learnt_from_noisy(dataset)
    if unit.mix is None:
        return replace(Cases.from_dataset(dataset, limit), views=views, agreement=agreed)
    qualities = Qualities.from_mix(dataset, unit.mix)
    cases = Cases.from_dataset(qualities.pooled, limit)
    return replace(cases, views=views, agreement=agreed, qualities=qualities)


def validation_macro_f1(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """What rates and neighbours are chosen by, and epochs where their recipe says nothing else."""
    if labels.ndim == 1:
        return macro_f1(confusion(labels, logits.argmax(axis=1), logits.shape[1]))
    value = omnirad_classification({"test_logits": logits, "test_labels": labels})["macro-f1"]
    assert value is not None
    return value


def validation_auc(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """What epochs are chosen by under `select: auc`.

    Raises:
        DataError: it is undefined.
    """
    value = omnirad_classification({"test_logits": logits, "test_labels": labels})["auc"]
    if value is None:
        raise DataError(no_validation_auc("auc"))
    return value


def validation_retfound_score(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """What epochs are chosen by under `select: retfound-score`.

    Raises:
        DataError: it is undefined.
    """
    value = retfound({"test_logits": logits, "test_labels": labels}).get("score")
    if value is None:
        raise DataError(no_validation_auc("retfound-score"))
    return value


# What epochs may be chosen by, with the recipes' names.
SELECTIONS = {
    "macro-f1": validation_macro_f1,
    "auc": validation_auc,
    "retfound-score": validation_retfound_score,
}

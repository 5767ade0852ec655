"""The images of a unit's views: its test images corrupted, and those of other datasets."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from omnibench.cards import DatasetCard
from omnibench.cell import Unit, digest_of
from omnibench.context import Context
from omnibench.data import Dataset, Images, Labels, Split
from omnibench.data.columns import stored
from omnibench.data.corruptions import corrupted
from omnibench.data.images import at_size
from omnibench.data.sources import load
from omnibench.data.subset import limited
from omnibench.errors import DataError
from omnibench.views import LOW, Corrupted, External
from omnibench.window import window_of

TEST = "test"
KEPT = 2  # datasets that are kept for the next unit
_kept: dict[tuple[str, str, str], Dataset] = {}


@dataclass(frozen=True)
class CorruptedImages(Images):
    """Images under a corruption, each by random numbers of its own.

    Attributes:
        clean: the images as they are.
        seeds: int64 [N].
        dataset: its id, by which a set of corruptions may have levels of its own.
    """

    clean: Images
    corruption: Corrupted
    seeds: NDArray[np.int64]
    dataset: str

    @property
    def shape(self) -> tuple[int, ...]:
        return self.clean.shape

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        return self._corrupted(self.clean.read(start, stop), self.seeds[start:stop])

    def read_rows(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        return self._corrupted(self.clean.read_rows(indices), self.seeds[indices])

    def at(self, size: int) -> Self:
        return replace(self, clean=at_size(self.clean, size))

    def _corrupted(self, images: NDArray[np.uint8], seeds: NDArray[np.int64]) -> NDArray[np.uint8]:
        kind = self.corruption
        return corrupted(images, kind.corruption, kind.severity, seeds, self.dataset)


def corrupted_split(split: Split, corruption: Corrupted, dataset: str, name: str = TEST) -> Split:
    """Return a split whose images are corrupted, at the size that they are read at.

    An image's random numbers come from the dataset, its number in the split and the corruption:
    neither from the severity nor from anything of a backbone.

    Args:
        dataset: its id.
        name: of the split.
    """
    beside = [] if name == TEST else [name]
    seeds = [
        int(digest_of([dataset, *beside, case, corruption.corruption])[:16], 16) >> 1
        for case in range(len(split))
    ]
    images = CorruptedImages(split.images, corruption, np.array(seeds, np.int64), dataset)
    return replace(split, images=images)


@dataclass(frozen=True)
class ViewSplit:
    """The test images of one view.

    Attributes:
        whole: all of the split that they are of.
        split: those that are tested, with labels as the trained dataset has them.
        rows: [n] which of the whole these are.
        unit: a unit of the dataset that they are of.
        name: of the whole split among the features of that dataset.
        own_cases: whether its cases are others than the test set's.
        digests: hashes of the arrays that were read.
    """

    whole: Split
    split: Split
    rows: NDArray[np.int64]
    unit: Unit
    name: str
    own_cases: bool = False
    digests: Mapping[str, str] = field(default_factory=dict)

    def arrays(self, view: str) -> dict[str, NDArray[Any]]:
        """Return what is stored of its cases where they are others: case, group and columns."""
        if not self.own_cases:
            return {}
        arrays: dict[str, NDArray[Any]] = {
            "test_case": np.arange(len(self.split), dtype=np.int64),
            **stored(self.split),
        }
        if self.split.groups is not None:
            arrays["test_group"] = self.split.groups
        return {f"{name}@{view}": array for name, array in arrays.items()}


def view_splits(unit: Unit, dataset: Dataset, context: Context) -> dict[str, ViewSplit]:
    """Return the test images of each view of a unit, by its name; of a mix their copies as "low".

    Args:
        dataset: the unit's, as it is trained on.

    Raises:
        DataError: a dataset is absent or damaged, or has none of the mapped classes.
    """
    views: dict[str, ViewSplit] = {}
    for view in unit.views:
        if isinstance(view, Corrupted):
            views[view.name] = _corrupted(unit, view, dataset)
        else:
            views[view.name] = _of_other(unit, view, dataset.card, context)
    if unit.mix is not None and isinstance(unit.mix.low, Corrupted):
        views[LOW] = _corrupted(unit, unit.mix.low, dataset)
    return views


def _corrupted(unit: Unit, view: Corrupted, dataset: Dataset) -> ViewSplit:
    split = corrupted_split(dataset.splits[TEST], view, dataset.card.id)
    return ViewSplit(split, split, np.arange(len(split)), unit, f"{TEST}@{view.name}")


def _of_other(unit: Unit, view: External, card: DatasetCard, context: Context) -> ViewSplit:
    own = unit.on(view)
    dataset = _loaded(view.dataset, context, own.sources["dataset"])
    dataset = dataset.at(unit.recipe["input_size"]).windowed(window_of(unit.recipe))
    dataset = limited(dataset, unit.recipe["limit"])
    name = TEST if TEST in dataset.splits else list(dataset.splits)[-1]
    whole = dataset.splits[name]
    rows, split = np.arange(len(whole)), whole
    if "labels" in whole.targets and card.classes:
        rows, split = _in_classes(whole, view, dataset.card, card)
    digests = {part: text for part, text in dataset.digests.items() if part.startswith(f"{name}_")}
    return ViewSplit(whole, split, rows, own, name, own_cases=True, digests=digests)


def _in_classes(
    split: Split, view: External, theirs: DatasetCard, ours: DatasetCard
) -> tuple[NDArray[np.int64], Split]:
    """Return the images whose classes the trained dataset has, and these labelled as there."""
    labels = split.target("labels", Labels, f"'{theirs.id}'").values
    targets = [view.classes.get(name, None) if view.classes else name for name in theirs.classes]
    place = np.array([-1 if name is None else ours.classes.index(name) for name in targets])
    if labels.ndim == 1:
        values = place[labels]
        rows = np.flatnonzero(values >= 0)
    else:
        values = np.zeros((len(labels), len(ours.classes)), np.int64)
        for column, of_ours in enumerate(place.tolist()):
            if of_ours >= 0:
                values[:, of_ours] |= labels[:, column]
        rows = np.arange(len(labels))
    if not len(rows):
        raise DataError(
            f"{theirs.id}: no image of its test split is of a class that {ours.id} has, as the "
            "suite maps them; map another, or leave this dataset out"
        )
    split = replace(split, targets={**split.targets, "labels": Labels(values)})
    return rows, split.take(rows)


def _loaded(card: DatasetCard, context: Context, source: str) -> Dataset:
    """Load a dataset, or return it as it was loaded for the unit before."""
    key = (card.id, str(context.data), source)
    if key not in _kept:
        while len(_kept) >= KEPT:
            del _kept[next(iter(_kept))]
        _kept[key] = load(card, context.data)
    return _kept[key]

"""The images and maps of a dataset, checked, and what is stored of predicted maps."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.cards import MapFacts
from omnibench.data import Dataset, Maps, Masks
from omnibench.data.columns import stored
from omnibench.data.label_subset import Subset
from omnibench.data.maps import checked_maps, over_channels
from omnibench.data.subset import limited
from omnibench.data.views import TEST, corrupted_split
from omnibench.errors import DataError
from omnibench.views import Corrupted

from .baselines import Fitted, as_maps
from .measures import Floats, Valid, measures, of_baselines
from .refusals import size_refusal

Rows = NDArray[np.int64]
Predict = Callable[[str, Rows], Floats]  # maps as the truth's, in its unit
SCORED_BLOCK = 8  # images predicted and compared at once


@dataclass(frozen=True)
class Cases:
    """A dataset with maps; models are trained and judged at the maps' own size.

    Attributes:
        facts: what the numbers are.
        keep_maps: as of the recipe.
    """

    dataset: Dataset
    facts: MapFacts
    keep_maps: bool = False

    @classmethod
    def from_dataset(
        cls,
        dataset: Dataset,
        limit: int | None,
        corruptions: Sequence[Corrupted] = (),
        keep_maps: bool = False,
    ) -> "Cases":
        """Check the maps of the whole dataset, then cut it to `limit` images.

        Args:
            corruptions: of the test images, whose maps stay as they are; each makes a split
                "test@VIEW".

        Raises:
            DataError: as `checked_maps`, or maps that are too small or do not part into blocks.
        """
        facts = checked_maps(dataset)
        if refusal := size_refusal(dataset.splits["train"].images.shape[1:3], facts.block):
            raise DataError(f"{dataset.card.id}: {refusal}")
        dataset = limited(dataset, limit)
        copies = {
            f"{TEST}@{view.name}": corrupted_split(dataset.splits[TEST], view, dataset.card.id)
            for view in corruptions
        }
        return cls(replace(dataset, splits={**dataset.splits, **copies}), facts, keep_maps)

    @property
    def outputs(self) -> int:
        """Return how many numbers a pixel has."""
        return max(1, len(self.facts.channels))

    def of(self, subset: Subset) -> "Cases":
        """Return the cases with these images of the training and validation splits."""
        dataset = subset.of(self.dataset)
        return self if dataset is self.dataset else replace(self, dataset=dataset)

    def count(self, split: str) -> int:
        """Return the number of images of a split."""
        return len(self.dataset.splits[split])

    @functools.cached_property
    def fitted(self) -> Fitted:
        """Return what the training pixels tell."""
        return Fitted.from_training(self.dataset, self.facts)

    def truth(self, split: str, rows: Rows) -> tuple[NDArray[np.float32], Valid]:
        """Return maps [n, H, W] or [n, H, W, C], 0 where they are not valid, and where they are."""
        values, valid = self.dataset.target(split, "maps", Maps).read_rows(rows)
        return np.where(over_channels(valid, values), values, np.float32(0)), valid

    def inputs(self, split: str, rows: Rows) -> Floats:
        """Return grey levels of images as float64 [n, H, W], in the range of the maps."""
        return as_maps(self.dataset, split, rows, self.facts.range)

    def unmoved(self, split: str, rows: Rows) -> NDArray[np.uint8] | None:
        """Return the masks [n, H, W] of the images before they were moved, where they are known."""
        if "unmoved" not in self.dataset.splits[split].targets:
            return None
        return self.dataset.target(split, "unmoved", Masks).images.read_rows(rows)

    def mae(self, split: str, predict: Predict) -> float:
        """Return the mean over a split's images of the mean absolute error."""
        values = []
        for rows in self._blocks(split):
            truth, valid = self.truth(split, rows)
            off = np.where(over_channels(valid, truth), np.abs(predict(split, rows) - truth), 0)
            sums = off.sum(axis=tuple(range(1, off.ndim)), dtype=np.float64)
            values.append(sums / (valid.sum(axis=(1, 2)) * self.outputs))
        return float(np.concatenate(values).mean())

    def predictions(self, predict: Predict) -> dict[str, NDArray[Any]]:
        """Return the arrays stored beside a record: measures, case; group and columns."""
        arrays: dict[str, NDArray[Any]] = {
            "map_range": np.array(self.facts.range),
            "cutoff": np.array([self._cutoff]),
        }
        for tested in self.dataset.splits:
            test, at, view = tested.partition("@")
            if test == TEST:
                for name, array in self._compared(tested, predict).items():
                    arrays[f"{test}_{name}{at}{view}"] = array
        split = self.dataset.splits[TEST]
        arrays["test_case"] = np.arange(len(split), dtype=np.int64)
        if split.groups is not None:
            arrays["test_group"] = split.groups
        return arrays | stored(split)

    @property
    def _cutoff(self) -> float:
        """Return the cutoff of an image's mean; NaN where a pixel has several numbers."""
        if self.facts.channels:
            return np.nan
        return self.fitted.cutoff if self.facts.cutoff is None else self.facts.cutoff

    def _compared(self, split: str, predict: Predict) -> dict[str, NDArray[Any]]:
        """Return the measures of a split's maps and of the baselines', and the maps if asked."""
        blocks: list[dict[str, NDArray[Any]]] = []
        for rows in self._blocks(split):
            maps, (truth, valid) = predict(split, rows), self.truth(split, rows)
            answers = self.fitted.answers(self.inputs(split, rows), self.facts)
            unmoved = self.unmoved(split, rows)
            others = of_baselines(answers, truth, valid, self.facts, unmoved)
            blocks.append(
                {
                    **measures(maps, truth, valid, self.facts, unmoved),
                    **{f"baseline_{name}": array for name, array in others.items()},
                    **({"maps": maps, "truth": truth, "valid": valid} if self.keep_maps else {}),
                }
            )
        return {name: np.concatenate([part[name] for part in blocks]) for name in blocks[0]}

    def _blocks(self, split: str) -> Iterator[Rows]:
        rows = np.arange(self.count(split))
        return (rows[start : start + SCORED_BLOCK] for start in range(0, len(rows), SCORED_BLOCK))

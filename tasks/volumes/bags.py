"""The slices of studies as bags: of each study as many as it has, of each view."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from omnibench.data import Dataset, Split
from omnibench.errors import DataError


class Slices(NamedTuple):
    """The embeddings of some studies' slices.

    Attributes:
        features: float32 [B, V, T, D], zeros where there is no slice.
        there: bool [B, V, T], where there is one.
    """

    features: Tensor
    there: Tensor


@dataclass(frozen=True)
class Layout:
    """Where the slices of a split's S studies are, in the order of their places.

    So no number depends on the order in which they were read.

    Attributes:
        images: N of the split.
        rows: int64 [S, V, T]: the image of each slice; N where a view has fewer than T.
    """

    images: int
    rows: NDArray[np.int64]

    @classmethod
    def from_split(cls, split: Split, views: tuple[str, ...]) -> "Layout":
        """Return the layout of a split.

        Args:
            views: the V names of the dataset, as of `views_of`.
        """
        study, count = split.study_of_image, len(split)
        view = np.zeros(count, np.int64)
        if split.view is not None:
            view = np.searchsorted(np.array(views), split.view)
        place = np.arange(count) if split.place is None else split.place
        order = np.lexsort((place, view, study))
        bag = (study * len(views) + view)[order]
        sizes = np.bincount(bag, minlength=split.cases * len(views))
        within = np.arange(count) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        rows = np.full((len(sizes), int(sizes.max())), count, np.int64)
        rows[bag, within] = order
        return cls(count, rows.reshape(split.cases, len(views), -1))

    @property
    def there(self) -> NDArray[np.bool_]:
        """Return bool [S, V, T], where there is a slice."""
        return self.rows < self.images

    def thinned(self, most: int | None) -> "Layout":
        """Return the layout with at most so many slices of a view, at even distances."""
        if most is None or self.rows.shape[2] <= most:
            return self
        rows = np.full((*self.rows.shape[:2], most), self.images, np.int64)
        for own, thin in zip(
            self.rows.reshape(-1, self.rows.shape[2]), rows.reshape(-1, most), strict=True
        ):
            there = own[own < self.images]
            count = min(len(there), most)
            thin[:count] = there[np.linspace(0, len(there) - 1, count).round().astype(int)]
        return Layout(self.images, rows)

    def padded(self, values: NDArray[Any], absent: Any) -> NDArray[Any]:
        """Return values by image, [N], as [S, V * T]; `absent` where there is no slice."""
        wide = np.append(values, np.array([absent], values.dtype))
        return wide[self.rows].reshape(len(self.rows), -1)

    def slices(self, features: Tensor, studies: NDArray[np.int64]) -> Slices:
        """Return the slices of some studies, with no more columns than the largest needs.

        Args:
            features: [N + 1, D], of which the last row stands where there is no slice.
        """
        own = self.rows[studies]
        longest = int((own < self.images).sum(axis=2).max())
        rows = torch.from_numpy(own[:, :, :longest]).to(features.device)
        return Slices(functional.embedding(rows, features), rows < self.images)


def views_of(dataset: Dataset) -> tuple[str, ...]:
    """Return the names of a dataset's views, sorted; one without a name where it has none.

    Raises:
        DataError: its card names others.
    """
    parts = [split.view for split in dataset.splits.values() if split.view is not None]
    views = tuple(np.unique(np.concatenate(parts)).tolist()) if parts else ("",)
    card = dataset.card
    if card.views and tuple(sorted(card.views)) != views:
        raise DataError(
            f"the images of '{card.id}' are of the views {', '.join(views)}, its card names "
            f"{', '.join(card.views)}; correct one"
        )
    return views


def with_absent(features: Tensor) -> Tensor:
    """Return features [N, D] with a row of zeros behind them."""
    return torch.cat([features, features.new_zeros(1, features.shape[1])])

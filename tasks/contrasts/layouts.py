"""Where the images of studies are, by their contrasts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.data import Dataset, Images
from omnibench.data.label_subset import Subset
from omnibench.encoders.preprocess import Preprocess
from omnibench.errors import DataError
from omnibench.tasks.volumes.bags import Layout, views_of

Rows = NDArray[np.int64]
Shown = NDArray[np.bool_]


@dataclass(frozen=True)
class Layouts:
    """The images of every split's studies.

    Attributes:
        contrasts: the K names, sorted.
        images: of each split.
        rows: of each split, [S, K], where in the images a study's contrast is; -1 for nowhere.
        digests: of the dataset.
    """

    contrasts: tuple[str, ...]
    images: Mapping[str, Images]
    rows: Mapping[str, Rows]
    digests: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_dataset(cls, dataset: Dataset) -> "Layouts":
        """Lay out a dataset of studies.

        Raises:
            DataError: a study has a contrast twice, or the card names others.
        """
        contrasts = views_of(dataset)
        images = {name: split.images for name, split in dataset.splits.items()}
        rows = {name: rows_of(dataset, name, contrasts) for name in dataset.splits}
        return cls(contrasts, images, rows, dataset.digests)

    def of(self, subset: Subset) -> "Layouts":
        """Return the same with these studies of the training and validation splits."""
        train, val = self.rows["train"][subset.train], self.rows["val"][subset.val]
        return replace(self, rows={**self.rows, "train": train, "val": val})

    def held(self, split: str) -> Shown:
        """Return bool [S, K], which contrasts each study has."""
        held: Shown = self.rows[split] >= 0
        return held

    def prepared(
        self, split: str, studies: Rows, contrasts: Rows, preprocess: Preprocess
    ) -> Tensor:
        """Return prepared pixels [B, T, 3, S, S] of studies that have all of these contrasts."""
        where = self.rows[split][studies][:, contrasts]
        read = np.ascontiguousarray(self.images[split].read_rows(where.ravel()))
        pixels: Tensor = preprocess(torch.from_numpy(read)).unflatten(0, where.shape)
        return pixels


def rows_of(dataset: Dataset, split: str, contrasts: tuple[str, ...]) -> Rows:
    """Return [S, K], where in a split's images each contrast of a study is; -1 for nowhere.

    Raises:
        DataError: a study has a contrast twice.
    """
    layout = Layout.from_split(dataset.splits[split], contrasts)
    if layout.rows.shape[2] > 1:
        study, contrast = np.argwhere(layout.there[:, :, 1])[0].tolist()
        raise DataError(
            f"{dataset.card.id}: study {study} of {split} has several images of the contrast "
            f"'{contrasts[contrast]}'; give it one of each"
        )
    return np.where(layout.there, layout.rows, -1)[:, :, 0]

"""Online evaluation: nearest neighbours of a labelled set in a network's features."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.data import Images, Labels, Split
from omnibench.data.sources import load, resolve
from omnibench.data.subset import drawn
from omnibench.errors import DataError
from omnibench.training.precision import autocast

from ..classification.knn import as_logits, vote_shares
from ..classification.metrics import omnirad_classification
from .refusals import no_single_labels

NEIGHBOURS, TEMPERATURE = 20, 0.07  # as in DINO's evaluation
MOST = 2000  # images of each split: enough to see a course
SPLITS = ("train", "val")
BATCH = 64

# Images, or volumes, of a split and one label of each; None where it has not one label of each.
LabelledOf = Callable[[Split], tuple[Images, NDArray[np.int64]] | None]


def labelled_images(split: Split) -> tuple[Images, NDArray[np.int64]] | None:
    """Return a split's images and their labels."""
    labels = split.targets.get("labels")
    if not isinstance(labels, Labels) or labels.values.ndim != 1:
        return None
    return split.images, labels.values


class OnlineKnn:
    """Judges a network by a labelled dataset's validation split; the test split is left alone.

    Args:
        reference: as `sources.resolve` takes it, its path absolute.
        prepare: makes of uint8 images what the network takes.

    Raises:
        DataError: the dataset has not one label an image.
    """

    def __init__(
        self,
        reference: str,
        data: Path,
        prepare: Callable[[Tensor], Tensor],
        precision: str,
        device: str,
        labelled: LabelledOf = labelled_images,
        batch: int = BATCH,
    ) -> None:
        dataset = load(resolve(reference), data)
        self.prepare, self.precision, self.device = prepare, precision, device
        self.batch = batch
        self.images: dict[str, tuple[Images, NDArray[np.int64]]] = {}
        self.labels = {}
        for name in SPLITS:
            split = dataset.splits.get(name)
            cases = None if split is None else labelled(split)
            if cases is None:
                raise DataError(no_single_labels(reference))
            images, labels = cases
            rows = drawn(len(labels), MOST)
            self.images[name] = images, rows
            self.labels[name] = torch.from_numpy(labels[rows])
        self.classes = int(max(labels.max() for labels in self.labels.values())) + 1

    def evaluate(self, embed: Callable[[Tensor], Tensor]) -> dict[str, float | None]:
        """Return knn_accuracy and knn_auc, fractions; None of an AUC where a class has no image.

        Args:
            embed: gives features [B, D] of prepared images.
        """
        train, queries = (self._features(embed, split) for split in SPLITS)
        targets = torch.nn.functional.one_hot(self.labels["train"], self.classes).float()
        neighbours = min(NEIGHBOURS, len(train))
        shares = vote_shares(train, targets, queries, [neighbours], TEMPERATURE)[0]
        predictions = {
            "test_logits": as_logits(shares, multi_label=False).numpy(),
            "test_labels": self.labels["val"].numpy(),
        }
        figures: dict[str, Any] = dict(omnirad_classification(predictions))
        return {"knn_accuracy": figures["accuracy"], "knn_auc": figures["auc"]}

    @torch.inference_mode()
    def _features(self, embed: Callable[[Tensor], Tensor], split: str) -> Tensor:
        """Return the features of a split's images, float32 [N, D] on the CPU."""
        images, rows = self.images[split]
        parts = []
        for start in range(0, len(rows), self.batch):
            chosen = rows[start : start + self.batch]
            pixels = self.prepare(torch.from_numpy(images.read_rows(chosen)))
            with autocast(self.precision, self.device):
                parts.append(embed(pixels).float().cpu())
        return torch.cat(parts)

"""Online evaluation: nearest neighbours of a labelled set in the teacher's class tokens."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from omnibench.data import Labels
from omnibench.data.sources import load, resolve
from omnibench.data.subset import drawn
from omnibench.encoders.preprocess import Preprocess
from omnibench.errors import DataError
from omnibench.training.precision import autocast

from ..classification.knn import as_logits, vote_shares
from ..classification.metrics import omnirad_classification
from .network import MaskedViT
from .refusals import no_single_labels

NEIGHBOURS, TEMPERATURE = 20, 0.07  # as in DINO's evaluation
MOST = 2000  # images of each split: enough to see a course
SPLITS = ("train", "val")
BATCH = 64


class OnlineKnn:
    """Judges a network by a labelled dataset's validation split; the test split is left alone.

    Args:
        reference: as `sources.resolve` takes it, its path absolute.

    Raises:
        DataError: the dataset has not one label an image.
    """

    def __init__(self, reference: str, data: Path, preprocess: Preprocess, precision: str) -> None:
        dataset = load(resolve(reference), data)
        self.preprocess, self.precision = preprocess, precision
        self.splits, self.labels = {}, {}
        for split in SPLITS:
            cases = dataset.splits.get(split)
            labels = None if cases is None else cases.targets.get("labels")
            if cases is None or not isinstance(labels, Labels) or labels.values.ndim != 1:
                raise DataError(no_single_labels(reference))
            rows = drawn(len(cases), MOST)
            self.splits[split] = cases.take(rows)
            self.labels[split] = torch.from_numpy(labels.values[rows])
        self.classes = int(max(labels.max() for labels in self.labels.values())) + 1

    def evaluate(self, network: MaskedViT) -> dict[str, float | None]:
        """knn_accuracy and knn_auc, fractions; the AUC is None where a class has no image."""
        train, queries = (self._features(network, split) for split in SPLITS)
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
    def _features(self, network: MaskedViT, split: str) -> Tensor:
        """Class tokens of a split's images, float32 [N, D] on the CPU."""
        images, count = self.splits[split].images, len(self.labels[split])
        device = str(self.preprocess.device)
        parts = []
        for start in range(0, count, BATCH):
            pixels = self.preprocess(
                torch.from_numpy(images.read(start, min(start + BATCH, count)))
            )
            with autocast(self.precision, device):
                parts.append(network(pixels)[0].float().cpu())
        return torch.cat(parts)

"""The loss of a part of a batch, and the masks a model predicts."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from omnibench.data.declaration import VOID
from omnibench.training.job import Batch
from omnibench.training.precision import autocast

from .cases import Cases
from .layers import resize
from .segmenter import Segmenter

BATCH = 8  # of an evaluation


class Objective:
    """Cross-entropy over the pixels of the input size, and predictions in evaluation mode."""

    def __init__(self, model: Segmenter, cases: Cases, precision: str, device: str) -> None:
        self.model, self.cases, self.device = model, cases, device
        self.precision = precision

    def loss(self, batch: Batch) -> Tensor:
        """This part's share of the step's mean loss."""
        rows = batch.rows.numpy()
        masks = torch.from_numpy(self.cases.masks("train", rows)).to(self.device)
        side = self.cases.trained
        logits = resize(self.model("train", rows).float(), (side, side))
        total = functional.cross_entropy(logits, masks.long(), reduction="sum", ignore_index=VOID)
        return total / self._pixels(batch)

    def _pixels(self, batch: Batch) -> int:
        """Return how many pixels of the whole batch have a class."""
        if not self.cases.void:
            return len(batch.whole) * self.cases.trained**2
        masks = self.cases.masks("train", batch.whole.numpy())
        return max(1, int((masks != VOID).sum()))

    def predict(self, split: str, rows: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
        """Class indices [H, W] of the images at `rows`, each at its size of scoring."""
        self.model.eval()
        masks: list[NDArray[np.uint8]] = []
        with torch.inference_mode(), autocast(self.precision, self.device):
            for start in range(0, len(rows), BATCH):
                part = rows[start : start + BATCH]
                # One size for every batch: an image's bits do not depend on how many follow.
                padded = np.concatenate([part, np.repeat(part[:1], BATCH - len(part))])
                logits = self.model(split, padded).float()
                sizes = self.cases.sizes(split, part)
                if len(set(sizes)) == 1:
                    masks.extend(_largest(resize(logits, sizes[0]))[: len(part)])
                    continue
                for own, size in zip(logits.split(1), sizes, strict=False):
                    masks.extend(_largest(resize(own, size)))
        return masks


def _largest(logits: Tensor) -> NDArray[np.uint8]:
    """Return the class of the largest logit, [B, H, W]."""
    classes: NDArray[np.uint8] = logits.argmax(dim=1).to(torch.uint8).cpu().numpy()
    return classes

"""The loss of a part of a batch, and the masks a model predicts."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from omnibench.training.job import Batch
from omnibench.training.precision import autocast

from .cases import Cases
from .layers import resize
from .segmenter import Segmenter

BATCH = 8  # of an evaluation


class Objective:
    """Cross-entropy over every pixel of the input size, and predictions in evaluation mode."""

    def __init__(self, model: Segmenter, cases: Cases, precision: str, device: str) -> None:
        self.model, self.cases, self.device = model, cases, device
        self.precision = precision

    def loss(self, batch: Batch) -> Tensor:
        """This part's share of the step's mean loss."""
        rows = batch.rows.numpy()
        masks = torch.from_numpy(self.cases.masks("train", rows)).to(self.device)
        side = self.cases.trained
        logits = resize(self.model("train", rows).float(), (side, side))
        total = functional.cross_entropy(logits, masks.long(), reduction="sum")
        return total / (len(batch.whole) * side * side)

    def predict(self, split: str, rows: NDArray[np.int64] | None = None) -> NDArray[np.uint8]:
        """Class indices [N, H, W] at the size of scoring, of all images or of those at `rows`."""
        rows = np.arange(self.cases.count(split)) if rows is None else rows
        self.model.eval()
        masks = []
        with torch.inference_mode(), autocast(self.precision, self.device):
            for start in range(0, len(rows), BATCH):
                part = rows[start : start + BATCH]
                # One size for every batch: an image's bits do not depend on how many follow.
                padded = np.concatenate([part, np.repeat(part[:1], BATCH - len(part))])
                logits = resize(self.model(split, padded).float(), self.cases.scored)
                masks.append(logits.argmax(dim=1).to(torch.uint8).cpu().numpy()[: len(part)])
        return np.concatenate(masks)

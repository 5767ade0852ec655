"""Logits of a whole split in evaluation mode."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from omnibench.data import Images
from omnibench.encoders.forward import forward_rows
from omnibench.training.precision import autocast

from .classifier import Classifier

BATCH = 32


class Evaluation(Protocol):
    """Gives the logits [N, C] of a split under the model as it is now."""

    def logits(self, split: str) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class FrozenEvaluation:
    """Of a head alone: embeddings [N, D] a split were computed once."""

    model: Classifier
    embeddings: Mapping[str, NDArray[np.float32]]
    device: str

    def logits(self, split: str) -> NDArray[np.float32]:
        self.model.head.eval()
        with torch.inference_mode():
            embedding = torch.from_numpy(self.embeddings[split]).to(self.device)
            return self.model.classify(embedding).float().cpu().numpy()


@dataclass(frozen=True)
class TrainedEvaluation:
    """Of a whole model: every image again, in batches of one fixed size."""

    model: Classifier
    images: Mapping[str, Images]
    precision: str
    device: str

    def logits(self, split: str) -> NDArray[np.float32]:
        self.model.eval()
        images = self.images[split]

        def apply(block: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.model(self.model.encoder.preprocess(block))
            return logits.float()

        with autocast(self.precision, self.device):
            return forward_rows(images, 0, images.shape[0], BATCH, apply)

"""Mixup (Zhang et al. 2018, arXiv:1710.09412): the images of a step mixed in pairs, labels too."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from omnibench.training.job import Batch
from omnibench.training.random import stream_seed


@dataclass(frozen=True)
class Pairs:
    """Whom the images of a part of a step are mixed with, as timm's Mixup pairs a whole batch.

    Attributes:
        share: of an image itself, the same for all of the step.
        others: the images that they are mixed with: at place p of n that at place n - 1 - p.
    """

    share: float
    others: Batch

    @classmethod
    def from_batch(cls, batch: Batch, alpha: float, seed: int) -> "Pairs":
        """Draw the share by Beta(alpha, alpha), which no cut of the step into parts changes."""
        draw = np.random.default_rng(stream_seed(seed, "mixup", batch.step)).beta(alpha, alpha)
        places = len(batch.whole) - 1 - batch.places
        return cls(float(draw), Batch(batch.step, batch.whole[places], places, batch.whole))

    def mixed(self, own: Tensor, others: Tensor) -> Tensor:
        """Return own images or targets [B, ...] mixed with the others'."""
        return self.share * own + (1 - self.share) * others

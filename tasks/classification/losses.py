"""What is minimised where classes or labels are trained in steps, of images or of studies."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from omnibench.errors import RequestError
from omnibench.training.job import Batch
from omnibench.training.mixup import Pairs

from .linear import as_targets
from .recipes import LossRecipe
from .refusals import SMOOTHING_OF_CLASSES, class_weights_refusal


class ClassLoss:
    """The mean loss of a step's cases: cross-entropy, of several labels binary, or focal.

    With p the probability of a case's true class, or of a label's true value, the focal loss is
    (1 - p)^gamma times the cross-entropy -log p (Lin et al. 2017, eq. 4). Class weights w stand
    before it: a case's is that of its class, and the mean is weighted; a decision's about a label
    is w where the label is there, else 1, and the mean is over all N x L decisions.

    Args:
        labels: of the training cases, [N] class indices or [N, L] zeros and ones.

    Raises:
        RequestError: the recipe's class weights are not defined for such labels.
    """

    def __init__(self, labels: NDArray[np.int64], classes: int, recipe: LossRecipe) -> None:
        self.several = labels.ndim == 2
        if sentence := class_weights_refusal(recipe.class_weights, self.several):
            raise RequestError(sentence)
        if recipe.label_smoothing and self.several:
            raise RequestError(SMOOTHING_OF_CLASSES)
        self.targets = smoothed(as_targets(labels, classes), recipe.label_smoothing)
        self.weights = class_weights(labels, classes, recipe.class_weights)
        self.gamma = recipe.focal_gamma if recipe.loss == "focal" else 0.0

    def __call__(self, logits: Tensor, batch: Batch, pairs: Pairs | None = None) -> Tensor:
        """Return a part's share of the step's mean loss; logits are [B, C] of the part's rows.

        Args:
            pairs: by which the part's images were mixed.
        """
        targets = self.targets[batch.rows]
        if pairs is not None:
            targets = pairs.mixed(targets, self.targets[pairs.others.rows])
        targets = targets.to(logits.device)
        weights = self.weights.to(logits.device)
        if self.several:
            entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
            own = torch.where(targets > 0, weights, 1.0)
            return (own * self._focused(entropy)).sum() / (len(batch.whole) * targets.shape[1])
        entropy = functional.cross_entropy(logits, targets, reduction="none")
        own = targets @ weights
        whole = (self.targets[batch.whole] @ self.weights).sum().to(logits.device)
        return (own * self._focused(entropy)).sum() / whole

    def _focused(self, entropy: Tensor) -> Tensor:
        """Return (1 - p)^gamma times -log p."""
        if self.gamma == 0:
            return entropy
        # Where p is 1 the slope of a power below 1 is infinite, and the entropy 0.
        tiny = torch.finfo(entropy.dtype).tiny
        return (-torch.expm1(-entropy)).clamp(min=tiny) ** self.gamma * entropy


def smoothed(targets: Tensor, share: float) -> Tensor:
    """Return targets [N, C] of which a share is spread over all classes (Szegedy et al. 2016)."""
    return targets * (1 - share) + share / targets.shape[1] if share else targets


def class_weights(labels: NDArray[np.int64], classes: int, kind: str) -> Tensor:
    """Return a weight a class or label [C] from the training cases.

    Args:
        kind: `none`, ones; `sqrt-inverse`, sqrt(N / n_c) for a class on n_c of N cases;
            `prevalence`, (N - n_l) / n_l for a label on n_l of them, so that its presence and its
            absence weigh the same in all; 1 for a label on none.
    """
    if kind == "none":
        return torch.ones(classes)
    if kind == "prevalence":
        there = labels.sum(axis=0)
        odds = (len(labels) - there) / np.maximum(there, 1)
        return torch.from_numpy(np.where(there > 0, odds, 1.0)).float()
    counts = np.bincount(labels, minlength=classes)
    return torch.from_numpy(np.sqrt(counts.sum() / counts)).float()

"""What a repetition computes, in FLOPs: counted on one image before its training begins."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from omnibench.encoders.forward import counted_flops
from omnibench.rates import TRAINED


class Flops(NamedTuple):
    """FLOPs of the parts of a repetition; a multiply-add is two.

    Attributes:
        image: of training on one image, backward pass included.
        validation: of one evaluation of the validation split.
        before: of frozen passes over whole splits, whose results are kept.
        after: of the last predictions.
    """

    image: float
    validation: float
    before: float = 0.0
    after: float = 0.0

    def total(self, images: int, evaluations: int) -> float:
        """Return those of everything.

        Args:
            images: that were trained on, each as often as it came.
            evaluations: of the validation split.
        """
        return self.before + images * self.image + evaluations * self.validation + self.after


def counted(model: nn.Module, forward: Callable[[], object]) -> int:
    """Return the FLOPs of a forward pass in evaluation mode, which leaves the model in it."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    # torch's counter fails at a parameter that is passed to a module and could have a gradient.
    model.eval().requires_grad_(False)
    try:
        with counted_flops() as counter, torch.no_grad():
            forward()
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
    return int(counter.get_total_flops())


def trained_flops(backbone: float, head: float, through_backbone: bool) -> float:
    """Return the FLOPs of training on an image: forward, and backward where gradients go.

    A backward pass is taken for two forward ones, also where few weights of a layer are trained.

    Args:
        backbone, head: of a forward pass.
    """
    return (TRAINED if through_backbone else 1) * backbone + TRAINED * head

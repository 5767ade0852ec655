import pytest
import torch
from torch import nn

from omnibench.errors import RequestError
from omnibench.training.reached import check_reached


class Model(nn.Module):
    """A backbone with a part that no task uses, and a head."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.backbone = nn.ModuleDict({"used": nn.Linear(3, 4), "unused": nn.Linear(3, 4)})
        self.head = nn.Linear(4, 2)
        self.cut = cut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        embedding = self.backbone["used"](x)
        result: torch.Tensor = self.head(embedding.detach() if self.cut else embedding)
        return result


def backward(model: nn.Module) -> nn.Module:
    model(torch.ones(2, 3)).sum().backward()
    return model


def test_a_part_of_which_something_is_reached_is_trained() -> None:
    check_reached(backward(Model(cut=False)))


def test_a_part_that_the_loss_does_not_depend_on_is_refused_by_name() -> None:
    with pytest.raises(RequestError, match=r"'backbone' would be trained.*backbone\.used\.weight"):
        check_reached(backward(Model(cut=True)))


def test_a_frozen_part_needs_no_gradient() -> None:
    model = Model(cut=True)
    model.backbone.requires_grad_(False)
    check_reached(backward(model))


def test_every_parameter_of_lora_needs_a_gradient() -> None:
    model = Model(cut=False)
    model.backbone["unused"].lora_A = nn.Linear(3, 1, bias=False)
    with pytest.raises(RequestError, match=r"'backbone\.unused\.lora_A\.weight' would be trained"):
        check_reached(backward(model))

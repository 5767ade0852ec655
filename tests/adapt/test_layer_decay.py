"""Groups by layer against timm's, of networks with a head of its own."""

from typing import Any

import pytest
import timm
import torch
from timm.optim._param_groups import param_groups_layer_decay
from torch import nn

from omnibench.adapt.layer_decay import layered_groups
from omnibench.adapt.trainable import Trainable
from omnibench.errors import RequestError


def trainable(module: nn.Module, **attributes: Any) -> Trainable:
    encoder: Any = type("Encoder", (), {"module": module})
    return Trainable(encoder, **attributes)


def by_name(model: nn.Module, groups: Any, rate: str) -> dict[str, tuple[float, float]]:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        names[id(parameter)]: (round(group[rate], 12), group["weight_decay"])
        for group in groups
        for parameter in group["params"]
    }


@pytest.mark.parametrize("name", ["test_vit", "test_efficientnet", "test_convnext"])
def test_groups_are_those_of_timm(name: str) -> None:
    reference: Any = timm.create_model(name, num_classes=3)
    excluded: set[str] = getattr(reference, "no_weight_decay", set)()
    groups = param_groups_layer_decay(reference, 0.05, excluded, layer_decay=0.65)
    expected = by_name(reference, groups, "lr_scale")
    backbone: Any = timm.create_model(name, num_classes=0)
    model = nn.ModuleList([backbone, nn.Linear(backbone.num_features, 3)])
    made = layered_groups(model, trainable(backbone), 1.0, 0.05, 0.65)
    classifier = reference.pretrained_cfg["classifier"]
    renamed = {f"0.{n}".replace(f"0.{classifier}.", "1."): v for n, v in expected.items()}
    assert by_name(model, made, "lr") == renamed
    assert len(made) == len(groups)


def test_a_frozen_backbone_leaves_the_head_its_rate() -> None:
    backbone, head = nn.Linear(4, 4).requires_grad_(False), nn.Linear(4, 2)
    model = nn.ModuleList([backbone, head])
    groups = layered_groups(model, trainable(backbone), 0.1, 0.05, 0.5)
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [(0.1, 0.05), (0.1, 0.0)]
    assert groups[0]["params"][0] is head.weight
    assert groups[1]["params"][0] is head.bias


def test_what_has_no_layers_and_what_has_groups_of_its_own_is_refused() -> None:
    backbone = nn.Linear(4, 4)
    model = nn.ModuleList([backbone, nn.Linear(4, 2)])
    with pytest.raises(RequestError, match="nothing says which layers Linear has; leave"):
        layered_groups(model, trainable(backbone), 0.1, 0.05, 0.5)
    own = trainable(backbone, groups=[{"params": [torch.zeros(1)]}])
    with pytest.raises(RequestError, match="the adaptation sets rates of its own"):
        layered_groups(model, own, 0.1, 0.05, 0.5)

"""MedMNIST's small ResNet-18 against torchvision's, with the stem that the protocol says."""

import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models import resnet18 as torchvision_resnet18

from omnibench.architecture import architecture_of, needs_of_backbone
from omnibench.backbones.medmnist import resnet18
from omnibench.catalogue import backbones, tasks
from omnibench.encoders.abilities import require
from omnibench.encoders.build import load_encoder
from omnibench.encoders.forward import counted_flops
from omnibench.errors import RequestError
from omnibench.sources import drawn
from omnibench.task import Ability

RECIPE = {"input_size": 28, "normalization": "backbone", "precision": "fp32"}


def test_it_computes_what_torchvisions_does_with_the_small_stem(tmp_path: Path) -> None:
    card = backbones.get("medmnist-resnet18")
    loaded = load_encoder(card, RECIPE, "cpu", tmp_path, tmp_path)
    reference = torchvision_resnet18(weights=None)
    reference.conv1 = nn.Conv2d(1, 64, 3, padding=1, bias=False)
    reference.maxpool, reference.fc = nn.Identity(), nn.Identity()
    state = {n.removeprefix("1."): v for n, v in loaded.encoder.module.state_dict().items()}  # type: ignore[attr-defined]
    reference.load_state_dict(state)
    images = torch.randint(0, 256, (3, 28, 28), dtype=torch.uint8)
    pixels = (images[:, None] / 255 - 0.5) / 0.5
    with torch.inference_mode():
        expected = reference.eval()(pixels)
        assert torch.allclose(loaded.encoder.embed(images), expected, atol=1e-5)
    assert expected.shape == (3, card.width)


def test_its_weights_are_drawn_by_torchs_own_law() -> None:
    torch.manual_seed(0)
    for layer in resnet18().modules():
        if isinstance(layer, nn.Conv2d):
            bound = 1 / math.sqrt(layer.weight[0].numel())
            assert layer.weight.abs().max() <= bound
            assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)
        elif isinstance(layer, nn.BatchNorm2d):
            assert (layer.weight == 1).all()
            assert (layer.bias == 0).all()


def test_every_draw_is_another_and_the_same_again(tmp_path: Path) -> None:
    card = backbones.get("medmnist-resnet18")
    digests = [
        load_encoder(drawn(card, draw), RECIPE, "cpu", tmp_path, tmp_path).digest
        for draw in (0, 0, 1)
    ]
    assert [a == b for a, b in pairwise(digests)] == [True, False]


def test_the_cards_flops_are_counted_ones() -> None:
    with torch.device("meta"), torch.no_grad(), counted_flops() as counter:
        resnet18().eval()(torch.zeros(1, 3, 224, 224))
    assert backbones.get("medmnist-resnet18").flops == pytest.approx(
        counter.get_total_flops(), rel=1e-3
    )


@pytest.mark.parametrize(
    ("task", "adaptation"),
    [
        ("classification", "full"),
        ("classification", "linear"),
        ("captioning", "bart-tiny"),
        ("segmentation", "decoder"),
        ("segmentation", "full"),
        ("segmentation", "linear"),
    ],
)
def test_plan_blocks_it_where_it_cannot_give_what_is_asked_and_nowhere_else(
    task: str, adaptation: str, tmp_path: Path
) -> None:
    card = backbones.get("medmnist-resnet18")
    method = tasks.get(task).adaptations[adaptation]
    needs = needs_of_backbone(card, architecture_of(card, tmp_path, tmp_path), method, RECIPE)
    ability: Ability = method.takes
    encoder = load_encoder(card, RECIPE, "cpu", tmp_path, tmp_path).encoder
    if ability == "maps":
        (need,) = needs
        assert need.startswith("backbone medmnist-resnet18: it gives the map of its end alone")
        with pytest.raises(RequestError, match="tasks on feature maps need"):
            require(ability, encoder, card, 28)
    else:
        assert needs == ()
        require(ability, encoder, card, 28)

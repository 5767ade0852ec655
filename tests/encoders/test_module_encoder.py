from typing import Any

import pytest
import torch
from torch import nn

from omnibench.cards import BackboneCard
from omnibench.encoders.module_encoder import ModuleEncoder
from omnibench.encoders.preprocess import Preprocess
from omnibench.errors import RequestError, WeightsError

IMAGES = torch.randint(0, 256, (2, 32, 32), dtype=torch.uint8)
PREPARE = Preprocess(32, (0.5,) * 3, (0.5,) * 3, torch.device("cpu"), torch.float32)


class Gives(nn.Module):
    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        return torch.randn(len(x), *self.shape, generator=generator)


def encoder(*shape: int, **fields: int | str) -> ModuleEncoder:
    return ModuleEncoder(Gives(*shape), PREPARE, BackboneCard(id="x", source="a:b", **fields))


def test_an_embedding_a_token_sequence_and_a_map_are_understood() -> None:
    assert encoder(6).embed(IMAGES).shape == (2, 6)
    model = encoder(1 + 16, 6, prefix_tokens=1, patch=8, pool="cls")
    prefix, patches = model.tokens(IMAGES)
    assert torch.equal(model.embed(IMAGES), prefix[:, 0])
    assert patches.shape == (2, 4, 4, 6)
    raw = model.module(IMAGES)
    assert torch.equal(patches[:, 1, 2], raw[:, 1 + 6])
    model = encoder(6, 4, 4)
    assert torch.allclose(model.embed(IMAGES), model.module(IMAGES).mean(dim=(2, 3)))


@pytest.mark.parametrize(
    ("shape", "fields", "message"),
    [
        ((17, 6), {"patch": 8}, "17 tokens for 0 prefix tokens and 4 x 4 patches"),
        ((17, 6), {}, "17 tokens for 0 prefix tokens"),
        ((16, 6), {"prefix_tokens": 1, "patch": 8}, "16 tokens for 1 prefix tokens"),
        ((16, 6), {"pool": "cls"}, "pool 'cls' needs a class token"),
        ((1, 2, 3, 4), {}, "its forward gives"),
    ],
)
def test_what_does_not_fit_the_card_is_refused_by_name(
    shape: tuple[Any, ...], fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(WeightsError, match=message):
        encoder(*shape, **fields).embed(IMAGES)


def test_what_it_cannot_give_is_said() -> None:
    with pytest.raises(RequestError, match="no tokens"):
        encoder(6).tokens(IMAGES)
    with pytest.raises(RequestError, match="no method forward_intermediates"):
        encoder(6, 4, 4).maps(IMAGES, [0])

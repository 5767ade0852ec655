from collections.abc import Sequence
from typing import Any, NoReturn

import pytest
import torch
from torch import Tensor, nn

from omnibench.cards import BackboneCard
from omnibench.encoders.abilities import require
from omnibench.encoders.module_encoder import ModuleEncoder
from omnibench.encoders.preprocess import Preprocess
from omnibench.errors import RequestError

SIZE = 32
PREPARE = Preprocess(SIZE, (0.5,) * 3, (0.5,) * 3, torch.device("cpu"), torch.float32)


class GreyOnly(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.convolution(x)
        return result


class Own:
    """An Encoder that gives what it was made with."""

    def __init__(self, **given: Any) -> None:
        self.given = given

    def embed(self, images: Tensor) -> Any:
        return self.given["embed"]

    def tokens(self, images: Tensor) -> Any:
        return self.given["tokens"]

    def maps(self, images: Tensor, layers: Sequence[int]) -> Any:
        return self.given["maps"]


def card(**fields: Any) -> BackboneCard:
    return BackboneCard(id="mine", source="a:b", **fields)


def zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(*shape)


def test_a_forward_that_fails_is_one_sentence_with_its_reason() -> None:
    encoder = ModuleEncoder(GreyOnly(), PREPARE, card())
    with pytest.raises(
        RequestError,
        match=r"^mine: its forward fails for an image of 32 px, which has three channels "
        r"\(RuntimeError: .*expected input\[1, 3, 32, 32\] to have 1 channels.*\); correct the mod",
    ) as caught:
        require("embed", encoder, card(), SIZE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("ability", "given", "message"),
    [
        ("embed", zeros(1, 4, 4), r"its embed give \(1, 4, 4\) for one image where \[B, D\]"),
        ("embed", zeros(2, 4), r"its embed give \(2, 4\) for one image"),
        ("embed", [1.0], "its embed give list for one image"),
        ("tokens", zeros(1, 4, 4), "its tokens give Tensor where a pair of prefix tokens"),
        ("tokens", (zeros(1, 1, 4), zeros(1, 16, 4)), r"its tokens \(patches\) give \(1, 16, 4\)"),
        (
            "tokens",
            (zeros(1, 1, 4), zeros(1, 2, 8, 4)),
            "its patch tokens lie on a grid of 2 x 8",
        ),
        ("tokens", (zeros(1, 1, 4), zeros(1, 0, 0, 4)), "its patch tokens lie on a grid of 0 x 0"),
        ("maps", [zeros(1, 4, 2, 2)], "its maps are 1 for 3 layers"),
        ("maps", [zeros(1, 4, 2)] * 3, r"its maps give \(1, 4, 2\) for one image"),
        ("maps", [zeros(1, 4, 2, 3)] * 3, "its maps lie on a grid of 2 x 3"),
    ],
)
def test_what_is_not_as_an_encoder_gives_it_is_refused_by_name(
    ability: Any, given: Tensor | list[Any] | tuple[Tensor, Tensor], message: str
) -> None:
    with pytest.raises(RequestError, match=f"^mine: {message}"):
        require(ability, Own(**{ability: given}), card(), SIZE)


def test_what_is_as_it_should_be_passes() -> None:
    good: Any = Own(
        embed=zeros(1, 4),
        tokens=(zeros(1, 1, 4), zeros(1, 2, 2, 4)),
        maps=[zeros(1, 4, side, side) for side in (4, 2, 1)],
    )
    for ability in ("embed", "tokens", "maps"):
        require(ability, good, card(), SIZE)


def test_running_out_of_memory_is_not_the_modules_fault() -> None:
    class Hungry(Own):
        def embed(self, images: Tensor) -> NoReturn:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        require("embed", Hungry(), card(), SIZE)

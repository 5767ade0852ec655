"""What an encoder can do, tried on one blank image when it is built."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from omnibench.cards import BackboneCard
from omnibench.encoders import Encoder, VolumeEncoder
from omnibench.encoders.levels import levels_of
from omnibench.errors import OmnibenchError, RequestError, one_line
from omnibench.memory import is_out_of_memory
from omnibench.task import Ability

SLICES = 16  # of the volume that is tried


def require(ability: Ability, encoder: Encoder, card: BackboneCard, size: int) -> None:
    """Hold an encoder to what a unit takes of it, for an image of `size` x `size` pixels.

    Raises:
        RequestError: its forward fails, or gives something else than `Encoder` says.
    """
    images = torch.zeros(1, size, size, dtype=torch.uint8)
    try:
        with torch.no_grad():
            _TRIALS[ability](encoder, card, images)
    except OmnibenchError:
        raise
    except Exception as error:  # whatever a module raises
        if is_out_of_memory(error):
            raise
        raise RequestError(
            f"{card.id}: its forward fails for an image of {size} px, which has three channels "
            f"({type(error).__name__}: {one_line(error)}); correct the module, or the recipe's "
            "input_size"
        ) from error


def _embed(encoder: Encoder, card: BackboneCard, images: Tensor) -> None:
    _expect(card, "embed", encoder.embed(images), 2)


def _tokens(encoder: Encoder, card: BackboneCard, images: Tensor) -> None:
    given: Any = encoder.tokens(images)
    if not isinstance(given, tuple) or len(given) != 2:
        raise RequestError(
            f"{card.id}: its tokens give {type(given).__name__} where a pair of prefix tokens "
            "[B, P, D] and patch tokens [B, h, w, D] is due; correct its Encoder"
        )
    prefix, patches = given
    _expect(card, "tokens (prefix)", prefix, 3)
    _expect(card, "tokens (patches)", patches, 4)
    _square(card, "patch tokens", patches.shape[1:3])


def _maps(encoder: Encoder, card: BackboneCard, images: Tensor) -> None:
    layers = levels_of(encoder, card).layers
    maps = encoder.maps(images, layers)
    if len(maps) != len(layers):
        raise RequestError(
            f"{card.id}: its maps are {len(maps)} for {len(layers)} layers; give one for each"
        )
    for level in maps:
        _expect(card, "maps", level, 4)
        _square(card, "maps", level.shape[2:])


def _volumes(encoder: Encoder, card: BackboneCard, images: Tensor) -> None:
    if not isinstance(encoder, VolumeEncoder):
        raise RequestError(
            f"{card.id}: it sees single images, and volumes are asked for; name a backbone whose "
            "Encoder has embed_volumes"
        )
    volumes = images[:, None].expand(-1, SLICES, -1, -1)
    _expect(card, "embed_volumes", encoder.embed_volumes(volumes), 2)


_TRIALS: Mapping[Ability, Callable[[Encoder, BackboneCard, Tensor], None]] = {
    "embed": _embed,
    "tokens": _tokens,
    "maps": _maps,
    "embed_volumes": _volumes,
}
_SHAPES = {2: "[B, D]", 3: "[B, P, D]", 4: "[B, h, w, D], of maps [B, D, h, w],"}


def _expect(card: BackboneCard, name: str, output: Any, axes: int) -> None:
    """Refuse what is no tensor of one image with so many axes."""
    shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
    if not isinstance(shape, tuple) or len(shape) != axes or shape[0] != 1:
        raise RequestError(
            f"{card.id}: its {name} give {shape} for one image where {_SHAPES[axes]} is due; "
            "correct its Encoder or its forward"
        )


def _square(card: BackboneCard, name: str, sides: torch.Size) -> None:
    if sides[0] != sides[1] or not sides[0]:
        raise RequestError(
            f"{card.id}: its {name} lie on a grid of {sides[0]} x {sides[1]} where a square image "
            "has a square one; correct patch and prefix_tokens on its card, or its Encoder"
        )

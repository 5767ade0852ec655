"""The network of a head on maps: pixels in, what the head gives out, at the size of the pixels."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from omnibench.adapt.trainable import attach
from omnibench.encoders import MapEncoder
from omnibench.encoders.build import LoadedTrainable
from omnibench.encoders.levels import levels_of
from omnibench.errors import RequestError
from omnibench.registry import import_attribute
from omnibench.task import Adaptation
from omnibench.training.trained_network import Network, card_of

from . import UNET, OnFrozenMaps
from .heads import Head
from .layers import resize

Numbers = float | Sequence[float]


class MapsNetwork(nn.Module):
    """A backbone and a head on its maps; parameters are called as those of `Segmenter`.

    Args:
        scale, shift: of what the head gives: one, or one a channel.
    """

    def __init__(
        self, encoder: MapEncoder, layers: Sequence[int], head: Head, scale: Numbers, shift: Numbers
    ) -> None:
        super().__init__()
        self.encoder, self.layers = encoder, tuple(layers)
        self.backbone, self.head = encoder.module, head
        # No part of the weights: the record tells them.
        self.scale = nn.Buffer(torch.tensor(scale).view(-1, 1, 1), persistent=False)
        self.shift = nn.Buffer(torch.tensor(shift).view(-1, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return [B, C, S, S] of prepared pixels [B, 3, S, S]."""
        given = self.head(pixels, self.encoder.intermediates(pixels, self.layers))
        size = self.encoder.preprocess.size
        return resize(given.float(), (size, size)) * self.scale + self.shift


def network(
    record: Mapping[str, Any],
    loaded: LoadedTrainable,
    adaptation: Adaptation,
    state: Mapping[str, Tensor],
    outputs: str,
    scale: Numbers = 1.0,
    shift: Numbers = 0.0,
) -> Network:
    """Make the network of a record, its weights yet to be loaded.

    Args:
        outputs: what it gives, in words.

    Raises:
        RequestError: the backbone's Encoder gives no maps of prepared pixels.
    """
    encoder, spec = loaded.encoder, record["spec"]
    if not isinstance(encoder, MapEncoder):
        raise RequestError(
            f"{spec['backbone']}: its Encoder has no intermediates(pixels, layers), of which a "
            "network could be made; give it that"
        )
    levels = levels_of(encoder, card_of(record))
    size = encoder.preprocess.size
    with torch.no_grad():
        maps = encoder.maps(torch.zeros(1, size, size, dtype=torch.uint8), levels.layers)
    shapes = [(level.shape[1], level.shape[2], level.shape[3]) for level in maps]
    frozen = isinstance(adaptation, OnFrozenMaps)
    kind: type[Head] = import_attribute(
        adaptation.head if isinstance(adaptation, OnFrozenMaps) else UNET
    )
    given = next(len(value) for name, value in state.items() if name.endswith("classify.weight"))
    head = kind.on_live(shapes, levels.tokens, given, spec["options"] if frozen else {})
    if not frozen:
        attach(adaptation, encoder, spec["options"])
    return Network(MapsNetwork(encoder, levels.layers, head, scale, shift), loaded, outputs)

"""What `clicks` trains: a U-shaped decoder on a backbone's maps, the image and the clicks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from omnibench.cell import Unit
from omnibench.encoders.maps import UnitMaps
from omnibench.tasks.segmentation.decoder import Decoder
from omnibench.tasks.segmentation.heads import Head, MapCases, Shapes, check_input_size, enlarged
from omnibench.tasks.segmentation.layers import conv_bn, resize
from omnibench.tasks.segmentation.prior import FusedPyramid

from .click_maps import CHANNELS

WIDTH, FINE = 64, 16  # of the decoder's maps, and of those at stride 2
SEEN = 3 + CHANNELS


class ClickHead(Head):
    """Segmentation's prior, fusion and decoder at a small width; a logit a pixel at stride 2.

    The prior sees the clicks beside the image, so that they reach every scale. Boundaries need more
    than the decoder's stride 8: its maps are enlarged and joined with image and clicks at stride 2.
    """

    takes_pixels = True

    def __init__(self, shapes: Shapes, tokens: bool) -> None:
        super().__init__()
        widths = [shape[0] for shape in shapes]
        self.pyramid = FusedPyramid(widths, enlarged(tokens), WIDTH, SEEN)
        self.decoder = Decoder(WIDTH, WIDTH // 2)
        self.detail = nn.Sequential(*conv_bn(SEEN, FINE, 3, 2), nn.ReLU())
        self.refine = nn.Sequential(*conv_bn(WIDTH // 2 + FINE, 2 * FINE, 3), nn.ReLU())
        self.classify = nn.Conv2d(2 * FINE, 1, 1)
        self.to(memory_format=torch.channels_last)  # bf16 convolutions are faster in it

    def forward(self, pixels: Tensor, maps: Sequence[Tensor], clicks: Tensor) -> Tensor:
        """Return logits [B, 1, S/2, S/2] of pixels [B, 3, S, S], maps and clicks [B, 3, S, S]."""
        seen = torch.cat([pixels, clicks], dim=1).contiguous(memory_format=torch.channels_last)
        detail = self.detail(seen)
        coarse = resize(self.decoder(self.pyramid(seen, maps)), detail.shape[-2:])
        logits: Tensor = self.classify(self.refine(torch.cat([coarse, detail], dim=1)))
        return logits

    @classmethod
    def check(cls, unit: Unit) -> None:
        """Refuse an input size that the decoder's strides do not divide.

        Raises:
            RequestError: with the nearest sizes that serve.
        """
        check_input_size(unit.recipe["input_size"])

    @classmethod
    def on_kept(
        cls, maps: UnitMaps, cases: MapCases, options: Mapping[str, Any]
    ) -> Callable[[], Head]:
        return lambda: cls(maps.shapes, maps.tokens)

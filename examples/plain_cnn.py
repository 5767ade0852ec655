"""A backbone from outside: a small convolutional network, built by a function of this file.

    omnibench run SUITE --plugin plain_cnn.py --backbones plain-cnn

Any module serves whose forward takes normalised images [B, 3, H, W] and gives an embedding, tokens
or a map. `forward_intermediates` is what tasks on maps ask for besides.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from omnibench import BackboneCard, register_backbone

WIDTHS = {8: 16, 16: 32, 32: 64}  # stride -> channels; tasks on maps take these three strides


class PlainCnn(nn.Module):
    """Three stages, each half as fine as the one before."""

    def __init__(self) -> None:
        super().__init__()
        widths, strides = [3, *WIDTHS.values()], [8, 2, 2]
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, width, stride, stride), nn.BatchNorm2d(width), nn.GELU()
            )
            for before, width, stride in zip(widths, widths[1:], strides, strict=False)
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the last map [B, 64, H / 32, W / 32]; its mean is the embedding."""
        return self.forward_intermediates(pixels, [32])[0]

    def forward_intermediates(self, pixels: Tensor, layers: Sequence[int]) -> list[Tensor]:
        """Return the maps of these strides."""
        maps = {}
        for stride, stage in zip(WIDTHS, self.stages, strict=True):
            maps[stride] = pixels = stage(pixels)
        return [maps[stride] for stride in layers]


register_backbone(
    BackboneCard(id="plain-cnn", source=f"{__name__}:PlainCnn", width=64, licence="Apache-2.0")
)

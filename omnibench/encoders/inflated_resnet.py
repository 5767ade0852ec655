"""A ResNet of bottlenecks whose kernels have a depth: it sees volumes.

Sources: the bottleneck of He et al. 2015 (arXiv:1512.03385, figure 5) with its stride in the middle
convolution, inflated as by Carreira and Zisserman 2017 (arXiv:1705.07750). Tensors have the names
of torchvision's ResNets.
"""

from torch import Tensor, nn
from torch.nn import functional

WIDENING = 4  # of a bottleneck's end over its middle


class Bottleneck(nn.Module):
    """Three convolutions, of 1, 3 and 1 voxels a side, beside a short cut."""

    def __init__(self, before: int, middle: int, stride: int, projects: bool) -> None:
        super().__init__()
        after = WIDENING * middle
        self.conv1 = nn.Conv3d(before, middle, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(middle)
        self.conv2 = nn.Conv3d(middle, middle, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(middle)
        self.conv3 = nn.Conv3d(middle, after, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(after)
        self.downsample = nn.Sequential()
        if projects:
            self.downsample.append(nn.Conv3d(before, after, 1, stride, bias=False))
            self.downsample.append(nn.BatchNorm3d(after))

    def forward(self, maps: Tensor) -> Tensor:
        """Turn maps [B, C, Z, H, W] into those of the next bottleneck."""
        inner = functional.relu(self.bn1(self.conv1(maps)))
        inner = functional.relu(self.bn2(self.conv2(inner)))
        return functional.relu(self.bn3(self.conv3(inner)) + self.downsample(maps))


class InflatedResNet(nn.Module):
    """Four stages of bottlenecks; maps are 16 times as coarse in depth, 32 times in the plane.

    Args:
        blocks: bottlenecks of each stage.
        width: of the first; each stage is twice as wide as the one before.
    """

    def __init__(self, blocks: tuple[int, int, int, int], width: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, width, (3, 7, 7), (1, 2, 2), padding=(1, 3, 3), bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.maxpool = nn.MaxPool3d(3, 2, padding=1)
        before = width
        for stage, count in enumerate(blocks):
            middle, layer = width * 2**stage, nn.Sequential()
            for block in range(count):
                stride = 2 if stage and not block else 1
                layer.append(Bottleneck(before, middle, stride, projects=not block))
                before = WIDENING * middle
            self.add_module(f"layer{stage + 1}", layer)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the last maps [B, D, h, w] of images [B, 3, H, W], volumes of one slice each."""
        return self._maps(pixels[:, :, None])[:, :, 0]

    def forward_volumes(self, pixels: Tensor) -> Tensor:
        """Return the means [B, D] of the last maps of volumes [B, 3, Z, H, W]."""
        maps = self._maps(pixels)
        return maps.float().mean(dim=(2, 3, 4)).to(maps.dtype)

    def _maps(self, pixels: Tensor) -> Tensor:
        maps: Tensor = self.maxpool(functional.relu(self.bn1(self.conv1(pixels))))
        for stage in range(1, 5):
            maps = self.get_submodule(f"layer{stage}")(maps)
        return maps

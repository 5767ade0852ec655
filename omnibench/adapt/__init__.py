"""Adaptations: what of a backbone is trained and what is attached to it, whatever the task.

An adaptation's `attach` is given a loaded encoder and its options, and returns a `Trainable`; the
task puts its own head on what that gives. Those that ship are registered here, without torch.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from omnibench.architecture.layers import may_attend, may_begin_with_patches
from omnibench.cards import BackboneCard
from omnibench.catalogue import register_adaptation
from omnibench.task import Adaptation

if TYPE_CHECKING:
    from omnibench.cell import Unit

TIMM_NAMED = ("timm", "random")
PAST_THEIR_LAYERS = ("beit", "eva", "dinov3", "swinv2", "siglip", "efficientvit", "clip", "aimv2")


class LoraOptions(BaseModel):
    """Options of `lora`.

    Attributes:
        r, alpha: rank and scale (alpha / r) of the update.
        dropout: of what reaches the update while it is trained.
        head: trained in full, or wrapped in LoRA over random frozen weights, as released.
        sites: what is updated: every linear layer, the attention projections alone, these and the
            convolution that makes tokens of pixels, or the embedding of a frozen backbone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    r: Annotated[int, Field(gt=0)]
    alpha: Annotated[int, Field(gt=0)]
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    head: Literal["full", "lora"] = "full"
    sites: Literal["all-linear", "attention", "attention+patch", "embedding"] = "all-linear"


class MolreOptions(BaseModel):
    """Options of `molre`.

    Attributes:
        experts, r, alpha: how many experts, the rank of each, and the scale (alpha / r) of the sum.
        site: the embedding of a frozen backbone, or the attention projections of its blocks.
        router: weighs the experts: softmax(MLP(x)); 1 / experts each; or 1 each.
        hidden: width of the router's hidden layer as a share of its input's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    experts: Annotated[int, Field(gt=0)] = 6
    r: Annotated[int, Field(gt=0)] = 8
    alpha: Annotated[int, Field(gt=0)] = 8
    site: Literal["embedding", "blocks"] = "embedding"
    router: Literal["soft", "uniform", "none"] = "soft"
    hidden: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.25


def _lora_reached_less(card: BackboneCard) -> bool:
    """Return whether LoRA up to schema 1 may have missed layers, whose weight is used past them.

    So it is with the qkv of timm's BEiT, EVA (DINOv3 is one) and Swin v2 and with pooling heads;
    not with plain ViTs and CNNs. Where no name tells the architecture, it may be any.
    """
    name = card.architecture or (card.source_name if card.source_kind in TIMM_NAMED else "")
    own = card.source.startswith("omnibench.")  # the one builder of ours makes a CNN
    return not own and (not name or any(part in name for part in PAST_THEIR_LAYERS))


CNN_FLOPS = (
    300  # of a 224 px image for each parameter: 180 of a ResNet-50, 330 of EfficientNet-Lite0
)


def _parameters(unit: "Unit") -> float:
    """Return about how many parameters a unit's backbone has: a ViT's 12 D^2 a block."""
    card = unit.backbone
    if card.depth and card.width:
        return 12.0 * card.depth * card.width**2
    return (card.flops or 4e9) / CNN_FLOPS


def _low_rank(unit: "Unit") -> float:
    """Return about how many parameters LoRA has: 16 D r a block of a ViT, a tenth of a CNN's."""
    card = unit.backbone
    if card.depth and card.width:
        return 16.0 * card.depth * card.width * float(unit.options["r"])
    return _parameters(unit) / 10


def _of_sites(unit: "Unit") -> Iterator[str]:
    """Yield a backbone without the layers that low-rank updates are asked for in."""
    sites = unit.options.get("sites")
    if sites != "all-linear" and not may_attend(unit.backbone):
        yield (
            f"{unit.backbone.id} has no linear layers in attention modules; use `lora` with "
            "`sites: all-linear` or `sites: embedding`, or other backbones"
        )
    elif sites == "attention+patch" and not may_begin_with_patches(unit.backbone):
        yield (
            f"{unit.backbone.id} does not begin with one convolution of patches; use `sites: "
            "attention`, or other backbones"
        )


def _of_embedding(unit: "Unit") -> Iterator[str]:
    """Yield a rank beyond the width of the embedding."""
    r, width = unit.options["r"], unit.backbone.width
    if width is not None and r > width:
        yield f"rank {r} is above the {width} values of an embedding of {unit.backbone.id}; lower r"


HEAD = register_adaptation(
    Adaptation(
        "head",
        trains="a linear head under augmentation; the backbone is frozen",
        varies="training seed",
        defaults={"lr": 1e-3},
        needs="embed",
        attach="omnibench.adapt.full:frozen",
    )
)
FULL = register_adaptation(
    Adaptation(
        "full",
        trains="backbone and head",
        varies="training seed",
        defaults={"lr": 1e-4},
        needs="module",
        attach="omnibench.adapt.full:whole",
        trained_parameters=_parameters,
        through_backbone=True,
        leaves_backbone=True,
    )
)
_LORA = Adaptation(
    "lora",
    trains="low-rank updates of the backbone's layers, and a head",
    varies="training seed",
    defaults={"lr": 1e-3},
    options=LoraOptions,
    needs="module",
    attach="omnibench.adapt.low_rank:attach",
    trained_parameters=_low_rank,
    through_backbone=True,
    refusals=_of_sites,
    changed_since_1=_lora_reached_less,
)
LORA = register_adaptation(
    replace(
        _LORA,
        variants={
            ("sites", "embedding"): replace(
                _LORA,
                trains="a low-rank update of the frozen backbone's embedding, and a head",
                needs="embed",
                attach="omnibench.adapt.low_rank:attach_to_embedding",
                trained_parameters=None,
                through_backbone=False,
                refusals=_of_embedding,
            )
        },
    )
)
_MOLRE = Adaptation(
    "molre",
    trains="low-rank experts and their router on the frozen backbone's embedding, and a head",
    varies="training seed",
    defaults={"lr": 1e-3},
    options=MolreOptions,
    needs="embed",
    attach="omnibench.adapt.molre:attach_to_embedding",
    refusals=_of_embedding,
)
MOLRE = register_adaptation(
    replace(
        _MOLRE,
        variants={
            ("site", "blocks"): replace(
                _MOLRE,
                trains="low-rank experts and their routers on the backbone's attention, and a head",
                needs="module",
                attach="omnibench.adapt.molre:attach_to_blocks",
                trained_parameters=lambda unit: _low_rank(unit) * unit.options["experts"],
                through_backbone=True,
                refusals=_of_sites,
            )
        },
    )
)

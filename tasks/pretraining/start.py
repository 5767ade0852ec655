"""The network a pretraining begins with: a backbone's weights, in the size of the recipe."""

from pathlib import Path
from typing import Any

import timm

from omnibench.cards import BackboneCard
from omnibench.encoders.origins import ORIGINS
from omnibench.encoders.preprocess import IMAGENET_MEAN, IMAGENET_STD
from omnibench.errors import RequestError, WeightsError

from .network import check_standard
from .recipes import PretrainingRecipe


def start_of(
    card: BackboneCard, size: int, layer_scale: float | None, data: Path, results: Path
) -> tuple[Any, dict[str, Any]]:
    """Return a timm ViT with the backbone's weights, and what timm is told to build it again.

    A backbone without layer scales gets `layer_scale`; those it has stay as they are.

    Args:
        size: side of the images that it takes, in pixels.

    Raises:
        RequestError: it is no plain ViT.
    """
    module = ORIGINS[card.source_kind](card, size, data, results).module
    name = getattr(module, "pretrained_cfg", {}).get("architecture", "")
    if not timm.is_model(name):
        raise RequestError(
            f"{card.id}: pretraining needs a timm architecture; {card.source} is none"
        )
    check_standard(module, card.id)
    state = module.state_dict()
    scaled = any(key.endswith(".gamma") for key in state)
    arguments: dict[str, Any] = {
        "num_classes": 0,
        "img_size": size,
        "init_values": 1.0 if scaled else layer_scale,
    }
    vit = timm.create_model(name, **arguments, dynamic_img_size=True)
    missing, unexpected = vit.load_state_dict(state, strict=False)
    strange = [key for key in missing if not key.endswith(".gamma")] + list(unexpected)
    if strange:
        raise WeightsError(
            f"{card.id}: {name} as pretraining builds it and the backbone differ in "
            f"{', '.join(strange[:3])}; take another backbone"
        )
    return vit, arguments


def statistics(
    card: BackboneCard, recipe: PretrainingRecipe, vit: Any
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and std of the network's images."""
    if recipe.normalization == "imagenet":
        return IMAGENET_MEAN, IMAGENET_STD
    own = vit.pretrained_cfg
    return card.mean or tuple(own["mean"]), card.std or tuple(own["std"])

"""The network a pretraining begins with: a backbone's weights, in the size of the recipe."""

from pathlib import Path
from typing import Any

import timm

from omnibench.cards import BackboneCard
from omnibench.encoders.origins import ORIGINS
from omnibench.encoders.preprocess import IMAGENET_MEAN, IMAGENET_STD
from omnibench.encoders.timm_encoder import fit_input_size
from omnibench.errors import RequestError, WeightsError

from .network import check_standard
from .recipes import PretrainingRecipe


def start_of(card: BackboneCard, recipe: PretrainingRecipe, data: Path, results: Path) -> Any:
    """Return a timm ViT with the backbone's weights, and layer scales where the recipe has them.

    Raises:
        RequestError: it is no plain ViT, or a crop is no multiple of its patch size.
    """
    module = ORIGINS[card.source_kind](card, recipe.input_size, data, results).module
    name = getattr(module, "pretrained_cfg", {}).get("architecture", "")
    if not timm.is_model(name):
        raise RequestError(
            f"{card.id}: pretraining needs a timm architecture; {card.source} is none"
        )
    check_standard(module, card.id)
    if recipe.local_crops:
        fit_input_size(module, recipe.local_size, f"{card.id}, recipe.local_size")
        fit_input_size(module, recipe.input_size, card.id)
    vit = timm.create_model(name, **model_arguments(recipe), dynamic_img_size=True)
    missing, unexpected = vit.load_state_dict(module.state_dict(), strict=False)
    strange = [key for key in missing if not key.endswith(".gamma")] + list(unexpected)
    if strange:
        raise WeightsError(
            f"{card.id}: {name} as pretraining builds it and the backbone differ in "
            f"{', '.join(strange[:3])}; take another backbone"
        )
    return vit


def model_arguments(recipe: PretrainingRecipe) -> dict[str, Any]:
    """What timm must be told to build the network of a recipe again."""
    return {
        "num_classes": 0,
        "img_size": recipe.input_size,
        "init_values": recipe.layer_scale,
    }


def statistics(
    card: BackboneCard, recipe: PretrainingRecipe, vit: Any
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and std of the network's images."""
    if recipe.normalization == "imagenet":
        return IMAGENET_MEAN, IMAGENET_STD
    own = vit.pretrained_cfg
    return card.mean or tuple(own["mean"]), card.std or tuple(own["std"])

"""Small networks, recipes and crops for the tests of pretraining."""

from typing import Any

import numpy as np
import timm
import torch

from omnibench.tasks.pretraining.crops import GLOBAL, Crops
from omnibench.tasks.pretraining.distillation import Distillation
from omnibench.tasks.pretraining.masks import draw_masks
from omnibench.tasks.pretraining.network import draw_paths
from omnibench.tasks.pretraining.recipes import DistillationRecipe

DEPTH, PATCH, SIDE = 2, 8, 32


def recipe(**fields: Any) -> DistillationRecipe:
    """A recipe of a few prototypes; any field may be said otherwise."""
    return DistillationRecipe(
        **{
            "input_size": SIDE,
            "batch": 6,
            "prototypes": 16,
            "hidden": 20,
            "bottleneck": 8,
            "drop_path": 0.0,
            "layer_scale": None,
            "local_size": 16,
            "precision": "fp32",
            **fields,
        }
    )


def network(layer_scale: float | None = None, **arguments: Any) -> Any:
    """A ViT of two blocks for crops of SIDE px."""
    return timm.create_model(
        "vit_tiny_patch16_224",
        **{
            "img_size": SIDE,
            "patch_size": PATCH,
            "embed_dim": 24,
            "depth": DEPTH,
            "num_heads": 3,
            "num_classes": 0,
            "dynamic_img_size": True,
            "init_values": layer_scale,
            **arguments,
        },
    )


def model(settings: DistillationRecipe, seed: int = 0, spread: float = 0.15) -> Distillation:
    """A model whose student and teacher differ, and whose tokens tell images apart."""
    torch.manual_seed(seed)
    made = Distillation(network(settings.layer_scale), settings)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
    made.set_training()
    return made


def crops(settings: DistillationRecipe, seed: int = 0) -> Crops:
    """Noise in the shape of a batch's crops, with masks and paths drawn as a step draws them."""
    generator = torch.Generator().manual_seed(seed)
    whole, local = GLOBAL * settings.batch, settings.local_crops * settings.batch
    grid = (settings.input_size // PATCH,) * 2
    masks = draw_masks(
        whole, grid, np.random.default_rng(seed), settings.mask_share, settings.mask_ratio
    )
    return Crops(
        torch.randn(whole, 3, settings.input_size, settings.input_size, generator=generator),
        torch.from_numpy(masks),
        draw_paths(whole, DEPTH, settings.drop_path, generator),
        torch.randn(local, 3, settings.local_size, settings.local_size, generator=generator),
        draw_paths(local, DEPTH, settings.drop_path, generator) if local else None,
    )


def every(targets: Any) -> torch.Tensor:
    """All rows of a teacher's distributions."""
    result: torch.Tensor = targets.distributions(torch.arange(len(targets.rows)))
    return result

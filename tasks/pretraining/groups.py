"""AdamW's parameter groups as DINOv2 makes them: which rates and decays a parameter has."""

from typing import Any

from torch import nn
from torch.optim import Optimizer

from .distillation import Network
from .recipes import DistillationRecipe
from .schedules import cosine, linear

FIRST = ("cls_token", "reg_token", "pos_embed", "patch_embed", "mask_token")
PLAIN = (".bias", ".gamma")  # of names; norms are plain too


def parameter_groups(student: Network, recipe: DistillationRecipe) -> list[dict[str, Any]]:
    """Groups with `rate` and `decay`, factors of the step's, and `last`, whether of prototypes.

    The rate falls with a layer's distance from the top by `layer_decay`, that of the patch
    embedding is multiplied by `patch_embed_rate`; biases, norms and layer scales do not decay.
    """
    depth = len(student.backbone.vit.blocks)
    groups: dict[tuple[float, float, bool], list[nn.Parameter]] = {}
    for name, parameter in student.named_parameters():
        layer = _layer(name, depth) if name.startswith("backbone.") else depth + 1
        rate = recipe.layer_decay ** (depth + 1 - layer)
        if "patch_embed" in name:
            rate *= recipe.patch_embed_rate
        plain = name.endswith(PLAIN) or "norm" in name
        key = (rate, 0.0 if plain else 1.0, name.endswith((".directions", ".lengths")))
        groups.setdefault(key, []).append(parameter)
    return [
        {"params": parameters, "rate": rate, "decay": decay, "last": last}
        for (rate, decay, last), parameters in groups.items()
    ]


def _layer(name: str, depth: int) -> int:
    """0 for what comes before the blocks, 1 to depth for a block, depth + 1 for what follows."""
    parts = name.split(".")
    if "blocks" in parts:
        return int(parts[parts.index("blocks") + 1]) + 1
    return 0 if any(part in FIRST for part in parts) else depth + 1


class Course:
    """Every value that changes with the steps.

    Args:
        epoch: steps an epoch.
    """

    def __init__(self, recipe: DistillationRecipe, epoch: int) -> None:
        self.recipe, self.epoch = recipe, epoch
        self.steps = recipe.epochs * epoch
        self.warmup = round(recipe.warmup_epochs * epoch)
        self.frozen = round(recipe.frozen_last_layer_epochs * epoch)
        self.teacher_warmup = round(recipe.teacher_warmup_epochs * epoch)

    def set_rates(self, optimiser: Optimizer, step: int) -> float:
        """Set every group's rate and weight decay for a step; returns the full rate."""
        recipe, rate = self.recipe, self.rate(step)
        decay = cosine(step, self.steps, recipe.weight_decay, recipe.final_weight_decay)
        for group in optimiser.param_groups:
            group["lr"] = 0.0 if group["last"] and step < self.frozen else rate * group["rate"]
            group["weight_decay"] = decay * group["decay"]
        return rate

    def rate(self, step: int) -> float:
        """The full learning rate."""
        full = self.recipe.scaled_lr
        start = self.recipe.warmup_start * full
        return cosine(step, self.steps, full, self.recipe.min_lr, self.warmup, start)

    def momentum(self, step: int) -> float:
        """Of the teacher's moving average."""
        return cosine(step, self.steps, *self.recipe.momentum)

    def temperature(self, step: int) -> float:
        """The teacher's."""
        first, last = self.recipe.teacher_temperature
        return linear(step, self.teacher_warmup, first, last)

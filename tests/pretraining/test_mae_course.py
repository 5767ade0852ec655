"""Rates and decays of a masked autoencoder by step, against the closed form and timm's groups."""

import math
from typing import Any

import pytest
from timm.optim._param_groups import param_groups_weight_decay

from omnibench.tasks.pretraining.mae_recipes import MAE, SMALL_MAE_3D, TANGERINE, MaskedRecipe
from omnibench.tasks.pretraining.mae_trainer import MaeCourse
from omnibench.tasks.pretraining.mae_trial import parameter_groups
from tests.pretraining.tiny_networks import network

EACH = 5  # steps an epoch


@pytest.mark.parametrize(
    ("recipe", "full"),
    [(MAE, 1.5e-4 * 4096 / 256), (TANGERINE, 1e-4), (SMALL_MAE_3D, 1e-3)],
    ids=["mae", "tangerine", "small"],
)
def test_the_rate_warms_up_by_step_and_falls_by_a_cosine(recipe: MaskedRecipe, full: float) -> None:
    course = MaeCourse(recipe, EACH)
    warmup = int(recipe.warmup_epochs)
    assert course.steps == recipe.epochs * EACH
    assert course.rate(0) == 0
    assert course.rate(1) == pytest.approx(full / (warmup * EACH))
    assert course.rate(warmup * EACH) == pytest.approx(full)
    left = 1 / (course.steps - warmup * EACH)
    last = full * (1 - math.cos(math.pi * left)) / 2
    assert course.rate(course.steps - 1) == pytest.approx(last, rel=1e-6)


def test_what_decays_is_what_decays_in_timms_groups() -> None:
    vit = network()
    names = {id(parameter): name for name, parameter in vit.named_parameters()}
    vit.pos_embed.requires_grad_(False)

    def by_decay(groups: Any) -> dict[float, set[str]]:
        return {g["weight_decay"]: {names[id(p)] for p in g["params"]} for g in groups}

    ours = by_decay(parameter_groups(vit, 0.05))
    assert ours == by_decay(param_groups_weight_decay(vit, 0.05))
    assert "cls_token" in ours[0.05]
    assert "patch_embed.proj.bias" in ours[0.0]

"""Every term of a step and every gradient, against `straight_line` in float64."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from omnibench.tasks.pretraining.crops import Crops
from omnibench.tasks.pretraining.distillation import (
    CENTRE_MOMENTUM,
    ROWS,
    Distillation,
    dino_terms,
)
from omnibench.tasks.pretraining.network import MaskedViT, draw_paths
from omnibench.tasks.pretraining.recipes import DistillationRecipe
from tests.pretraining import straight_line
from tests.pretraining.tiny_networks import crops, model, network, recipe

TEMPERATURE = 0.05


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    """Float64 everywhere; timm's resampling of position embeddings stays in float32."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def ours(
    made: Any, shown: Any, answers: Any, settings: DistillationRecipe, size: int
) -> dict[str, Any]:
    """The terms of a step in parts of `size` images, their gradients left in the parameters."""
    made.zero_grad()
    sums = dict[str, Any]()
    for images in torch.arange(settings.batch).split(size):
        actual = made.losses(shown.of_images(images), answers, images, settings.batch)
        sum(actual.values()).backward()
        for name, value in actual.items():
            sums[name] = sums.get(name, 0.0) + value.item()
    return sums


def same_step(
    made: Distillation, settings: DistillationRecipe, shown: Crops, size: int, centres: Any
) -> Any:
    student = {n: p.detach().clone().requires_grad_() for n, p in made.student.named_parameters()}
    groups = torch.arange(settings.batch).split(size)
    expected, logits = straight_line.loss(
        student,
        made.teacher.state_dict(),
        shown,
        settings,
        TEMPERATURE,
        centres,
        [group.tolist() for group in groups],
    )
    sum(expected.values()).backward()
    actual = ours(made, shown, made.answers(shown, TEMPERATURE, "cpu"), settings, size)
    assert actual == pytest.approx({n: v.item() for n, v in expected.items()}, rel=1e-10, abs=1e-12)
    for name, parameter in made.student.named_parameters():
        theirs = student[name].grad
        if theirs is None:
            assert parameter.grad is None or not parameter.grad.any(), name
            continue
        assert theirs.abs().max() > 1e-6, name
        assert parameter.grad is not None, name
        difference = (parameter.grad - theirs).abs().max() / theirs.abs().max()
        assert difference < 1e-8, (name, float(difference))
    return logits


CASES = {
    "dinov2, global crops alone": {},
    "scaled by the number of terms": {"dino_scale": "terms"},
    "local crops": {"local_crops": 2},
    "local crops by the number of terms": {"local_crops": 3, "dino_scale": "terms"},
    "running mean": {"centring": "mean"},
    "no centring": {"centring": "none", "local_crops": 1},
    "stochastic depth": {"drop_path": 0.4},
    "stochastic depth and local crops": {"drop_path": 0.3, "local_crops": 2, "layer_scale": 0.5},
    "weights": {"dino_weight": 0.7, "ibot_weight": 1.9, "koleo_weight": 0.3},
    "masks on all crops": {"mask_share": 1.0, "mask_ratio": (0.2, 1.0)},
    "recomputed": {"checkpoint_activations": True, "drop_path": 0.3, "layer_scale": 0.1},
}


@pytest.mark.parametrize("size", [6, 3, 2])
@pytest.mark.parametrize("fields", CASES.values(), ids=CASES.keys())
def test_a_step_equals_the_straight_line(fields: Any, size: int) -> None:
    settings = recipe(**fields)
    made = model(settings)
    zeros = dict.fromkeys(("dino", "ibot"), torch.zeros(settings.prototypes))
    same_step(made, settings, crops(settings), size, zeros)


def test_the_centre_of_a_step_is_that_of_the_steps_before() -> None:
    settings = recipe(centring="mean", local_crops=1)
    made = model(settings)
    centres = dict.fromkeys(("dino", "ibot"), torch.zeros(settings.prototypes))
    for step in range(3):
        logits = same_step(made, settings, crops(settings, seed=step), 3, centres)
        centres = {
            name: CENTRE_MOMENTUM * centre + (1 - CENTRE_MOMENTUM) * logits[name].mean(dim=0)
            for name, centre in centres.items()
        }
        for name, centre in centres.items():
            assert centre.abs().max() > 1e-3
            assert torch.allclose(made.get_buffer(f"{name}_centre"), centre, rtol=1e-12)


@pytest.mark.parametrize(
    ("scale", "local", "share"), [("dinov2", 0, 2 / 3), ("terms", 0, 1.0), ("dinov2", 4, 0.2)]
)
def test_the_global_terms_weigh_what_the_recipe_says(scale: str, local: int, share: float) -> None:
    assert 2 / dino_terms(recipe(dino_scale=scale, local_crops=local)) == pytest.approx(share)


def test_a_step_without_masks_or_koleo_has_terms_of_zero() -> None:
    settings = recipe(mask_share=0.0, koleo_weight=0.0)
    made, shown = model(settings), crops(settings)
    actual = ours(made, shown, made.answers(shown, TEMPERATURE, "cpu"), settings, 3)
    assert actual["dino"] > 0
    assert actual["ibot"] == actual["koleo"] == 0
    assert made.student.backbone.mask_token.grad is not None
    assert not made.student.backbone.mask_token.grad.any()


def test_steps_that_mask_different_numbers_of_patches_have_one_shape() -> None:
    """Memory of one step is the next one's only then."""
    settings = recipe()
    made, rows, masked = model(settings), set[int](), set[int]()
    for head in (made.student.ibot, made.teacher.ibot):
        head.register_forward_pre_hook(lambda _, given: rows.add(len(given[0])))
    for seed in range(4):
        shown = crops(settings, seed)
        masked.add(int(shown.masks.sum()))
        ours(made, shown, made.answers(shown, TEMPERATURE, "cpu"), settings, settings.batch)
    assert len(masked) > 1
    assert max(masked) <= ROWS
    assert rows == {ROWS}


@pytest.mark.parametrize(
    "arguments",
    [{}, {"reg_tokens": 2}, {"reg_tokens": 1, "no_embed_class": True, "pre_norm": True}],
)
def test_tokens_are_timms(arguments: dict[str, Any]) -> None:
    vit = network(layer_scale=0.3, **arguments).eval()
    pixels = torch.randn(3, 3, 32, 32)
    classes, patches = MaskedViT(vit)(pixels)
    expected = vit.forward_features(pixels)
    assert torch.allclose(classes, expected[:, 0], atol=1e-12)
    assert torch.allclose(patches, expected[:, -16:], atol=1e-12)


@pytest.mark.parametrize(("count", "drop", "most"), [(10, 0.3, 7), (7, 0.5, 3), (2, 0.9, 1)])
def test_a_fixed_number_of_images_takes_each_path(count: int, drop: float, most: int) -> None:
    paths = draw_paths(count, 40, drop, torch.Generator().manual_seed(0))
    assert paths is not None
    assert paths.takes_part.shape == (40, 2, count)
    assert paths is not None
    assert (paths.takes_part.sum(dim=2) == most).all()
    assert paths is not None
    assert paths.scale == pytest.approx(count / most)
    assert paths is not None
    assert (paths.takes_part[:, 0] != paths.takes_part[:, 1]).any()
    assert paths is not None
    shares = paths.takes_part.double().mean(dim=(0, 1))
    assert (shares - most / count).abs().max() < 0.2  # no place in the batch is preferred
    assert draw_paths(count, 40, 0.0, torch.Generator()) is None

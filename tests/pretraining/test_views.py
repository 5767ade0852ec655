import math
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from scipy.stats import kstest
from torch import Tensor
from torchvision.transforms.v2 import functional as reference

from omnibench.tasks.pretraining.views import (
    GLOBAL_BLUR_AS_RUN,
    Draws,
    View,
    global_views,
    local_view,
)

DRAWS = 3000
SCALE = (0.32, 1.0)
BARE: dict[str, Any] = {"blur": 0.0, "jitter": 0.0, "flip": 0.0}
WHOLE: dict[str, Any] = {**BARE, "scale": (1.0, 1.0), "ratio": (1.0, 1.0)}
EVERYTHING = View(40, SCALE, blur=0.5, solarise=0.5)


def seeded(seed: int = 0) -> Any:
    return torch.Generator().manual_seed(seed)


def noise(*shape: Any) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=seeded(1))


def flip_and_box(maps: Any, height: Any, width: Any) -> tuple[Tensor, Any]:
    """Flip [n] and the box (top, left, height, width) [n, 4] of maps without rotation."""
    half = torch.tensor([width, height]) / 2
    reach = torch.stack([maps[:, 0, 0], maps[:, 1, 1]], dim=1).double() * half
    corner = maps[:, :, 2].double() * half + half - reach.abs()
    box = torch.cat([corner.flip(1), 2 * reach.abs().flip(1)], dim=1)
    assert torch.allclose(box, box.round(), atol=1e-3)
    return reach[:, 0] < 0, box.round().int()


def torchvisions(view: View, images: Tensor, draws: Any) -> Any:
    """What torchvision makes of uint8 [n, H, W] image by image, op after op: [n, 1, S, S]."""
    flips, boxes = flip_and_box(draws.maps, *images.shape[1:])
    out = []
    for k, image in enumerate(images.float() / 255):
        crop = reference.resized_crop(image[None], *boxes[k], [view.size] * 2, antialias=True)
        crop = reference.horizontal_flip(crop) if flips[k] else crop
        brightness, contrast = draws.factors[k].tolist()
        jitter = [
            lambda x, factor=brightness: reference.adjust_brightness(x, factor),
            lambda x, factor=contrast: reference.adjust_contrast(x, factor),
        ]
        for change in reversed(jitter) if draws.contrast_first[k] else jitter:
            crop = change(crop)
        if sigma := draws.sigma[k].item():
            crop = reference.gaussian_blur(crop, [9, 9], [sigma, sigma])
        out.append(reference.solarize(crop, 128 / 255) if draws.solarised[k] else crop)
    return torch.stack(out) * 255


def both(view: Any, images: Tensor, seed: int = 0) -> tuple[Any, Any]:
    draws = view.draw(len(images), *images.shape[1:], seeded(seed))
    ours = view.apply(images, draws)
    assert ours.dtype == torch.float32
    assert ours.shape == (len(images), 1, view.size, view.size)
    return ours, torchvisions(view, images, draws)


@pytest.mark.parametrize("side", [(28, 28), (60, 90), (200, 120)])
@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_crop_and_flip_equal_torchvisions_smaller_and_larger(
    side: tuple[int, int], flip: float
) -> None:
    ours, theirs = both(View(48, (0.05, 1.0), **{**BARE, "flip": flip}), noise(12, *side))
    assert torch.allclose(ours, theirs, atol=0.02)


def test_crop_is_pillows_to_a_grey_level() -> None:
    images, view = noise(6, 90, 70), View(32, SCALE, **BARE)
    draws = view.draw(6, 90, 70, seeded())
    _, boxes = flip_and_box(draws.maps, 90, 70)
    for image, box, ours in zip(images, boxes, view.apply(images, draws), strict=True):
        pillow = reference.resized_crop(
            reference.to_pil_image(image[None]), *box.tolist(), [32, 32]
        )
        theirs = reference.pil_to_tensor(pillow)
        assert (ours - theirs).abs().max() <= 1


@pytest.mark.parametrize(
    "only",
    [
        {"jitter": 1.0, "contrast": 0.0},
        {"jitter": 1.0, "brightness": 0.0},
        {"jitter": 1.0},
        {"blur": 1.0},
        {"solarise": 1.0},
    ],
)
def test_one_operation_alone_equals_torchvisions(only: dict[str, float]) -> None:
    images = noise(12, 48, 48)
    ours, theirs = both(View(48, **{**WHOLE, **only}), images)
    assert not torch.equal(ours[:, 0], images.float())
    assert torch.allclose(ours, theirs, atol=1e-3)


def test_jitter_clamps_before_the_mean_is_taken() -> None:
    images = noise(4, 48, 48)
    view = View(48, **WHOLE)
    draws = replace(
        view.draw(4, 48, 48, seeded()),
        factors=torch.tensor([[1.4, 0.6], [1.4, 0.6], [0.6, 1.4], [0.6, 1.4]]),
        contrast_first=torch.tensor([True, False, True, False]),
    )
    ours = view.apply(images, draws)
    assert torch.allclose(ours, torchvisions(view, images, draws), atol=1e-3)
    unclamped = images.float() * 1.4
    unclamped = unclamped * 0.6 + 0.4 * unclamped.mean(dim=(1, 2), keepdim=True)
    assert (ours[1, 0] - unclamped[1]).abs().mean() > 5


def test_what_is_not_drawn_changes_nothing() -> None:
    images = noise(5, 48, 48)
    assert torch.equal(both(View(48, **WHOLE), images)[0][:, 0], images.float())


@pytest.mark.parametrize("side", [(40, 40), (128, 96)])
def test_the_sequence_equals_torchvisions(side: tuple[int, int]) -> None:
    ours, theirs = both(EVERYTHING, noise(64, *side))
    difference = (ours - theirs).abs()
    # Solarising jumps by one grey level, from just below 128 to 127.
    assert difference.max() <= 1.02
    assert difference[(theirs - 127.5).abs() > 0.6].max() < 0.02


def test_draws_and_pixels_do_not_depend_on_how_they_are_cut() -> None:
    generator = seeded()
    whole = EVERYTHING.draw(40, 56, 64, seeded())
    parts = [EVERYTHING.draw(count, 56, 64, generator) for count in (1, 26, 13)]
    for field in fields(Draws):
        together = torch.cat([getattr(part, field.name) for part in parts])
        assert torch.equal(getattr(whole, field.name), together)
    images = noise(40, 56, 64)
    pixels = EVERYTHING.apply(images, whole)
    for places in (torch.arange(3, 8), torch.tensor([39, 0, 17]), torch.tensor([5])):
        part = EVERYTHING.apply(images[places], whole.rows(places))
        assert torch.allclose(pixels[places], part, atol=1e-3)


def test_draws_follow_their_laws() -> None:
    draws = replace(EVERYTHING, blur=0.1, solarise=0.2).draw(DRAWS, 300, 300, seeded())
    flips, boxes = flip_and_box(draws.maps, 300, 300)
    jittered = (draws.factors != 1).any(dim=1)
    blurred = draws.sigma > 0
    for happened, probability in [
        (flips, 0.5),
        (jittered, 0.8),
        (draws.contrast_first, 0.5),
        (blurred, 0.1),
        (draws.solarised, 0.2),
    ]:
        error = 2.6 * math.sqrt(probability * (1 - probability) / DRAWS)
        assert abs(happened.double().mean() - probability) < error
    for factors in draws.factors[jittered].T:
        assert kstest(factors, "uniform", (0.6, 0.8)).pvalue > 0.01
    assert kstest(draws.sigma[blurred], "uniform", (0.1, 1.9)).pvalue > 0.01
    _, _, down, across = boxes.double().T
    assert SCALE[0] - 0.01 < (down * across / 300**2).min() < SCALE[0] + 0.02
    assert (down * across / 300**2).max() > 0.97
    assert 0.99 * 3 / 4 < (across / down).min() < 0.77
    events = torch.stack([flips, jittered, draws.contrast_first, blurred, draws.solarised])
    columns = torch.cat([events.double(), draws.factors.T.double(), (down * across)[None]])
    correlations = torch.corrcoef(columns) - torch.eye(len(columns))
    assert correlations.abs().max() < 3.5 / math.sqrt(DRAWS)


def test_views_are_dinov2s() -> None:
    first, second = global_views(224, SCALE)
    local = local_view(98, (0.05, 0.32))
    assert (first.blur, first.solarise, second.blur, second.solarise) == (1.0, 0.0, 0.1, 0.2)
    assert (local.size, local.scale, local.blur, local.solarise) == (98, (0.05, 0.32), 0.5, 0.0)
    first, second = global_views(224, SCALE, GLOBAL_BLUR_AS_RUN)
    assert (first.blur, second.blur) == (0.0, 0.9)
    assert not first.draw(50, 28, 28, seeded()).sigma.any()


def test_autocast_does_not_reach_the_pixels() -> None:
    images = noise(6, 48, 48)
    draws = EVERYTHING.draw(6, 48, 48, seeded())
    with torch.autocast("cpu", torch.bfloat16):
        pixels = EVERYTHING.apply(images, draws)
    assert torch.equal(pixels, EVERYTHING.apply(images, draws))


def test_no_images_give_no_pixels() -> None:
    draws = EVERYTHING.draw(0, 28, 28, seeded())
    assert EVERYTHING.apply(noise(0, 28, 28), draws).shape == (0, 1, 40, 40)

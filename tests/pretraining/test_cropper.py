"""A step's crops follow from seed, step and place alone."""

from typing import Any

import numpy as np
import pytest
import torch

from omnibench.encoders.preprocess import Preprocess
from omnibench.tasks.pretraining.crops import Cropper
from omnibench.tasks.pretraining.recipes import DistillationRecipe
from tests.pretraining.tiny_networks import DEPTH, PATCH, recipe

STATISTICS = (0.3, 0.4, 0.5), (0.2, 0.25, 0.3)
WHOLE = torch.arange(6)
SETTINGS = recipe(load_size=40, local_crops=2, drop_path=0.3)
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 40, 40), dtype=np.uint8)


def cropper(seed: int = 3, settings: DistillationRecipe = SETTINGS) -> Cropper:
    preprocess = Preprocess(settings.input_size, *STATISTICS, torch.device("cpu"), torch.float32)
    return Cropper(settings, seed, PATCH, DEPTH, preprocess)


def parts(shown: Any) -> list[Any]:
    paths, local = shown.paths, shown.local_paths
    return [shown.whole, shown.masks, paths.takes_part, shown.local, local.takes_part]


def equal(ours: Any, theirs: Any) -> list[Any]:
    return [torch.equal(a, b) for a, b in zip(parts(ours), parts(theirs), strict=True)]


@pytest.mark.parametrize("places", [[0, 1, 2], [3, 4, 5], [5], [0, 1, 2, 3, 4, 5]])
def test_a_process_draws_for_its_images_what_one_draws_for_them(places: list[int]) -> None:
    together: Any = cropper().crops(IMAGES, 7, WHOLE, 6)
    alone = cropper().crops(IMAGES[places], 7, torch.tensor(places), 6)
    expected: Any = together.of_images(torch.tensor(places))
    assert torch.allclose(alone.whole, expected.whole, atol=1e-5)
    assert torch.allclose(alone.local, expected.local, atol=1e-5)
    assert torch.equal(alone.masks, expected.masks)
    assert alone.paths is not None
    assert torch.equal(alone.paths.takes_part, expected.paths.takes_part)
    assert alone.local_paths is not None
    assert torch.equal(alone.local_paths.takes_part, expected.local_paths.takes_part)
    assert alone.paths is not None
    assert alone.paths.scale == together.paths.scale


def test_views_follow_one_another() -> None:
    shown = cropper().crops(IMAGES, 0, WHOLE, 6)
    assert shown.whole.shape == (12, 3, 32, 32)
    assert shown.masks.shape == (12, 4, 4)
    assert shown.local.shape == (12, 3, 16, 16)
    flat = np.arange(6, dtype=np.uint8)[:, None, None] * np.full((1, 40, 40), 40, np.uint8)
    shown = cropper().crops(flat, 0, WHOLE, 6)
    some = shown.of_images(torch.tensor([4, 1]))
    assert torch.equal(some.whole, shown.whole[[4, 1, 10, 7]])
    assert torch.equal(some.local, shown.local[[4, 1, 10, 7]])
    assert torch.equal(some.masks, shown.masks[[4, 1, 10, 7]])
    # Of a grey image nothing but its brightness can change; that of black is 0.
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in STATISTICS)
    values = (shown.whole[0] * std + mean) * 255
    assert torch.allclose(values, torch.zeros(3, 32, 32), atol=1e-4)
    values = (shown.local[[3, 9]] * std + mean) * 255
    assert (values.std(dim=(1, 2, 3)) < 1e-3).all()
    assert ((values.mean(dim=(1, 2, 3)) - 120).abs() <= 48.1).all()


def test_the_same_place_gives_the_same_crops_and_another_others() -> None:
    first = cropper().crops(IMAGES, 7, WHOLE, 6)
    assert all(equal(cropper().crops(IMAGES, 7, WHOLE, 6), first))
    assert not any(equal(cropper().crops(IMAGES, 8, WHOLE, 6), first))
    assert not any(equal(cropper(seed=4).crops(IMAGES, 7, WHOLE, 6), first))


def test_without_local_crops_there_are_none() -> None:
    shown = cropper(settings=recipe(load_size=40)).crops(IMAGES, 0, WHOLE, 6)
    assert len(shown.local) == len(shown.of_images(torch.tensor([2])).local) == 0
    assert shown.paths is None
    assert shown.local_paths is None

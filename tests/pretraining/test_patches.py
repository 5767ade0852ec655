"""Patches of images and volumes: their order, the way back, and what is restored of them."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from omnibench.tasks.pretraining.patches import normalised, patchify, unpatchify

GRIDS = {
    "image": ((3, 2), (4, 5)),
    "slab": ((1, 2, 3), (2, 3, 4)),
    "volume": ((4, 2, 3), (2, 4, 3)),
}


def pixels(grid: tuple[int, ...], patch: tuple[int, ...]) -> torch.Tensor:
    sides = [count * side for count, side in zip(grid, patch, strict=True)]
    return torch.randn(2, 3, *sides, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", sorted(GRIDS))
def test_patches_put_together_are_the_image(name: str) -> None:
    grid, patch = GRIDS[name]
    images = pixels(grid, patch)
    assert torch.equal(unpatchify(patchify(images, patch), grid, patch), images)


@pytest.mark.parametrize("name", sorted(GRIDS))
def test_patches_lie_row_by_row_with_channels_innermost(name: str) -> None:
    grid, patch = GRIDS[name]
    images = pixels(grid, patch)
    actual = patchify(images, patch)
    for number, place in enumerate(itertools.product(*map(range, grid))):
        box = [slice(k * side, (k + 1) * side) for k, side in zip(place, patch, strict=True)]
        values: Any = images.numpy()
        expected = np.moveaxis(values[(1, slice(None), *box)], 0, -1).reshape(-1)
        assert np.array_equal(actual[1, number].numpy(), expected)


def test_a_normalised_patch_has_mean_0_and_the_unbiased_deviation() -> None:
    patches = torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(0)) * 3 + 7
    values = patches.double().numpy()
    spread = np.sqrt(values.var(axis=-1, ddof=1, keepdims=True) + 1e-6)
    expected = (values - values.mean(axis=-1, keepdims=True)) / spread
    assert normalised(patches).numpy() == pytest.approx(expected, abs=1e-5)

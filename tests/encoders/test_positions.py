"""Fixed position embeddings, against MONAI's and by hand."""

import math

import pytest
import torch
from monai.networks.blocks.pos_embed_utils import build_sincos_position_embedding

from omnibench.encoders.positions import sine_cosine


def test_of_an_image_columns_stand_before_rows() -> None:
    embeddings = sine_cosine((2, 3), 8)
    ones, zeros = [math.sin(1), math.sin(0.01), math.cos(1), math.cos(0.01)], [0, 0, 1, 1]
    assert embeddings[1].tolist() == pytest.approx([*ones, *zeros], abs=1e-6)
    assert embeddings[3].tolist() == pytest.approx([*zeros, *ones], abs=1e-6)


@pytest.mark.parametrize("grid", [(3, 4), (2, 3, 4)], ids=str)
def test_each_axis_has_the_numbers_that_monai_gives_it(grid: tuple[int, ...]) -> None:
    axes, width = len(grid), 24
    expected = build_sincos_position_embedding(list(grid), width, axes).detach()[0]
    # MONAI has an order of its own of the axes; each part of the width is of one.
    parts = [part.reshape(*grid, -1) for part in expected.split(width // axes, dim=1)]
    own = [part.reshape(*grid, -1) for part in sine_cosine(grid, width).split(width // axes, dim=1)]
    for axis, part in zip(reversed(range(axes)), own, strict=True):
        lines = part.movedim(axis, 0).flatten(1, axes - 1)
        assert torch.equal(lines, lines[:, :1].expand_as(lines))
        (reference,) = (
            other
            for other in parts
            if other.movedim(axis, 0).flatten(1, axes - 1).std(dim=1).max() < 1e-6
        )
        assert torch.allclose(reference, part, atol=1e-5)


@pytest.mark.parametrize(("width", "parts"), [(1024, (341, 341, 342)), (192, (64, 64, 64))])
def test_the_first_axis_has_what_a_third_leaves_over(width: int, parts: tuple[int, ...]) -> None:
    embeddings = sine_cosine((2, 2, 2), width).reshape(2, 2, 2, width)
    start = 0
    for axis, count in zip((2, 1, 0), parts, strict=True):
        change = (embeddings.movedim(axis, 0)[1] - embeddings.movedim(axis, 0)[0]).abs()
        changed = change.amax(dim=(0, 1)).nonzero()[:, 0]
        assert start <= changed.min() < changed.max() < start + count
        start += count
    assert start == width


def test_an_odd_axis_has_one_more_sine() -> None:
    odd = sine_cosine((3,), 5)
    assert torch.allclose(odd[:, 0], torch.arange(3.0).sin())
    assert torch.allclose(odd[:, 3], torch.arange(3.0).cos())


def test_a_volume_of_one_layer_has_the_embeddings_of_an_image() -> None:
    assert torch.equal(sine_cosine((1, 3, 4), 20), sine_cosine((3, 4), 20))
    assert not sine_cosine((1, 1), 8).any()

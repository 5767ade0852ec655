"""The heat map of a study: which slice and which patches it shows, and what it does not."""

import io
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from omnibench.data import ArrayImages
from omnibench.tasks.volumes.bags import Layout
from omnibench.tasks.volumes.heat import (
    BARS,
    CAPTION,
    MARGIN,
    TILE,
    WARM,
    heat_sheet,
    painted,
    surest,
)
from tests.volumes.conftest import Ran

STEP = CAPTION + TILE + BARS + 2 * MARGIN


def drawn(heat_of: Any) -> np.ndarray:
    """Return the sheet of two studies of three slices, whose slices are of one grey each."""
    images = np.repeat(np.arange(6, dtype=np.uint8) * 40, 64).reshape(6, 8, 8)
    cases = SimpleNamespace(
        multi_label=False,
        labels={"test": np.array([0, 1])},
        dataset=SimpleNamespace(
            card=SimpleNamespace(classes=("none", "lesion")),
            splits={"test": SimpleNamespace(images=ArrayImages(images))},
        ),
    )
    predictions = {
        "test_logits": np.array([[1.0, 0.0], [0.0, 5.0]], np.float32),
        "test_slice_weight": np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]], np.float32),
    }
    rows = np.arange(6).reshape(2, 1, 3)
    sheet = heat_sheet(cases, Layout(6, rows), ("axial",), predictions, heat_of)  # type: ignore[arg-type]
    return np.asarray(Image.open(io.BytesIO(sheet)))


def corner(images: torch.Tensor, view: int) -> torch.Tensor:
    """Attend to the first of four patches."""
    return torch.tensor([[[1.0, 0.0], [0.0, 0.0]]]).expand(len(images), 2, 2)


def tile(sheet: np.ndarray, row: int, column: int) -> np.ndarray:
    top, left = MARGIN + row * STEP + CAPTION, MARGIN + column * (TILE + MARGIN)
    return sheet[top : top + TILE, left : left + TILE]


def test_the_surest_study_comes_first_and_shows_its_heaviest_slice() -> None:
    sheet = drawn(corner)
    assert (tile(sheet, 0, 0) == 5 * 40).all()
    assert (tile(sheet, 1, 0) == 1 * 40).all()
    assert surest(np.array([[0.5, 0.5], [0.1, 0.9], [0.9, 0.1], [0.3, 0.7]])).tolist() == [1, 2, 3]


def test_heat_is_attention_times_the_slices_weight() -> None:
    sheet = drawn(corner).astype(int)
    warmth = [tile(sheet, row, 1)[4, 4, 0] - tile(sheet, row, 1)[4, 4, 1] for row in (0, 1)]
    # Red over grey g at opacity a: (1 - a) g + a WARM, so that red less green is a (230 - 40).
    assert warmth == pytest.approx([0.7 * 190, 0.7 * 190 * 0.5 / 0.8], abs=2)
    for row, grey in enumerate((200, 40)):
        assert (tile(sheet, row, 1)[-4:, -4:] == grey).all()


def test_without_attention_the_weights_of_slices_stand_alone() -> None:
    sheet = drawn(lambda images, view: None)
    assert (tile(sheet, 0, 1) == 255).all()
    bars = sheet[MARGIN + STEP - BARS - MARGIN : MARGIN + STEP - MARGIN]
    assert (bars[-2] == WARM).all(axis=1).any()


def test_no_heat_leaves_an_image_as_it_is() -> None:
    image = Image.fromarray(np.full((TILE, TILE, 3), 90, np.uint8))
    assert painted(image, np.zeros((2, 2))).tobytes() == image.tobytes()


@pytest.mark.parametrize("dataset", ["tiny-volume", "tiny-views"])
def test_a_record_of_anymc3d_has_a_small_one(ran: Ran, dataset: str) -> None:
    (outcome,) = ran("anymc3d", dataset, recipe={"epochs": 1})
    assert 2_000 < len(outcome.files["heatmap.png"]) < 300_000
    (other,) = ran({"anymc3d": {"pool": "mean"}}, dataset, recipe={"epochs": 1})
    assert "heatmap.png" not in other.files

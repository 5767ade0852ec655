"""What cannot be pretrained is refused in a sentence; what can be put up with is noted."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from omnibench.cards import BackboneCard
from omnibench.context import Context
from omnibench.encoders.origins import ORIGINS, Origin
from omnibench.errors import DataError, RequestError
from omnibench.tasks.pretraining.start import start_of
from tests.pretraining.pretraining_units import FAST, outcome, pretraining


def images(folder: Any, count: int, side: int = 20, seed: int = 0) -> str:
    """A folder of grey noise."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for k in range(count):
        pixels = rng.integers(0, 256, (side, side), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{k:02}.png")
    return f"images:{folder}"


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"batch": 1}, "recipe: .*a batch of one image leaves .* nothing to compare"),
        ({"micro_batch": 1}, "recipe: .*a batch of one image leaves .* nothing to compare"),
        ({"micro_batch": 3}, "recipe: .*micro_batch 3 does not divide batch 8"),
        ({"micro_batch": 16}, "recipe: .*micro_batch 16 does not divide batch 8"),
        ({"mask_ratio": (0.5, 0.1)}, "recipe: .*mask_ratio must rise"),
        ({"evaluate": (0.1, 1)}, "recipe.evaluate: .*nothing is validated in a pretraining"),
        ({"prototypes": 1}, "recipe.prototypes: .*greater than 1"),
        ({"prototype": 9}, "recipe.prototype: .*did you mean prototypes"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(
    phantom: str, context: Context, recipe: dict[str, Any], message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        pretraining(phantom, **recipe)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"source": "random:test_efficientnet"},
            RequestError,
            "'start' is no plain vision transformer with a class token",
        ),
        (
            {"source": "random:test_vit3"},
            RequestError,
            "'start' is no plain vision transformer with a class token",
        ),
        ({"input_size": 40}, RequestError, "input size 40 is not a multiple .* 16; use 32 or 48"),
        (
            {"local_crops": 1, "local_size": 24},
            RequestError,
            "recipe.local_size 24 is not a multiple of the patch size 16 of start; use 16",
        ),
        ({"batch": 64, "limit": 34}, DataError, "batch 64 exceeds the training split's 34 cases"),
    ],
)
def test_what_cannot_be_trained_is_refused_by_name(
    phantom: str, context: Context, settings: dict[str, Any], error: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        outcome(pretraining(phantom, **settings), context)


@pytest.mark.parametrize(("own", "asked", "first"), [(0.3, None, 0.3), (None, 0.1, 0.1)])
def test_layer_scales_of_the_start_stay_and_absent_ones_are_the_recipes(
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    own: float | None,
    asked: float | None,
    first: float,
) -> None:
    module = timm.create_model("test_vit", num_classes=0, img_size=48, init_values=own)
    monkeypatch.setitem(ORIGINS, "random", lambda *_: Origin(module))
    card = BackboneCard(id="start", source="random:test_vit")
    size: Any = FAST["input_size"]
    vit, arguments = start_of(card, size, asked, context.data, context.results)
    assert torch.equal(vit.blocks[0].ls1.gamma, torch.full((64,), first))
    again = timm.create_model("test_vit", **arguments)
    again.load_state_dict(vit.state_dict())  # every key is there


def test_an_unreadable_image_is_skipped_counted_and_named(tmp_path: Path, context: Context) -> None:
    reference = images(tmp_path / "own", 12, side=52)
    (tmp_path / "own" / "07.png").write_bytes(b"no image")
    unit = pretraining(reference, limit=None, epochs=3, batch=4, unreadable=0.1)
    notes = outcome(unit, context).notes
    assert notes["unreadable"] == ["07.png"]
    assert notes["images"] == {"images-own": 12}
    assert notes["enlarged"] == 0


def test_more_unreadable_images_than_are_put_up_with_end_the_run(
    tmp_path: Path, context: Context
) -> None:
    reference = images(tmp_path / "own", 12)
    for name in ("03.png", "07.png"):
        (tmp_path / "own" / name).write_bytes(b"no image")
    with pytest.raises(DataError, match=r"2 images of the pool images-own .* where 1 are put up"):
        outcome(pretraining(reference, limit=None, batch=4, unreadable=0.1), context)


def test_crops_larger_than_the_images_are_warned_of_and_counted(
    tmp_path: Path, context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split, count in {"train": 24, "val": 4, "test": 4}.items():
        arrays[f"{split}_images"] = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        arrays[f"{split}_labels"] = np.arange(count)[:, None] % 2
    np.savez(tmp_path / "small.npz", **arrays)
    unit = pretraining(f"npz:{tmp_path / 'small.npz'}", limit=16, epochs=1)
    with caplog.at_level(logging.WARNING, "omnibench"):
        notes = outcome(unit, context).notes
    assert "24 of 24 images are smaller than the crop of 48 px and are enlarged" in caplog.text
    assert notes["enlarged"] == 24


def test_enlarged_image_files_are_counted_as_they_are_read(
    tmp_path: Path, context: Context
) -> None:
    reference = images(tmp_path / "own", 8, side=30)
    assert outcome(pretraining(reference, limit=None, epochs=1), context).notes["enlarged"] == 8


def unlabelled(folder: Any) -> str:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = rng.integers(0, 256, (8, 28, 28), dtype=np.uint8)
        arrays[f"{split}_label"] = rng.integers(0, 2, (8, 28, 28), dtype=np.uint8)
    np.savez(folder / "masks.npz", **arrays)
    return f"npz:{folder / 'masks.npz'}"


def many_labels(folder: Any) -> str:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = rng.integers(0, 256, (8, 28, 28), dtype=np.uint8)
        arrays[f"{split}_labels"] = np.eye(8, dtype=np.uint8)[:, :3] + np.eye(8, 3, 1, np.uint8)
    np.savez(folder / "many.npz", **arrays)
    return f"npz:{folder / 'many.npz'}"


@pytest.mark.parametrize(
    "dataset", [unlabelled, many_labels, lambda folder: images(folder / "own", 8)]
)
def test_a_dataset_without_one_label_an_image_cannot_judge(
    phantom: str, context: Context, tmp_path: Path, dataset: Callable[..., Any]
) -> None:
    reference = dataset(tmp_path)
    with pytest.raises(DataError, match=f"knn: {reference} has not one label an image"):
        outcome(pretraining(phantom, knn=reference), context)

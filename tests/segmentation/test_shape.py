"""What a cell measures of shape where its recipe asks, and what kept masks give back."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.catalogue import tasks
from omnibench.data.npz import card_of
from omnibench.errors import DataError
from omnibench.scoring import score, values_per_case
from omnibench.task import Outcome
from omnibench.tasks.segmentation.centreline import centreline_dice
from omnibench.tasks.segmentation.shape import mask_arrays, measured, shape_arrays

SHAPE = ("cldice/cldice", "centreline/f1-2px", "betti-error/b0", "betti-error/b1")


def outcome(make: Any, millimetres: bool = False, **recipe: Any) -> Outcome:
    unit, context = make(**recipe)
    if millimetres:
        card = unit.dataset.model_copy(update={"pixel_spacing": (0.5, 0.5)})
        unit = replace(unit, dataset=card)
    (own,) = tasks.get("segmentation").run(unit, context)
    return own


def test_shape_is_measured_where_a_recipe_asks_and_nothing_else_changes(make: Any) -> None:
    plain, own = outcome(make), outcome(make, shape=True)
    assert not set(SHAPE) & set(plain.metrics)
    assert {name: own.metrics[name] for name in plain.metrics} == plain.metrics
    for name in SHAPE:
        values = own.predictions["test_cldice"] if "cldice" in name else None
        assert own.metrics[name] is not None
        if values is not None:
            assert own.metrics[name] == pytest.approx(values.mean(), abs=1e-6)
    assert "nsd-surfel-1mm/nsd" not in own.metrics  # pixels of an unknown size


def test_values_of_cases_are_what_their_mean_is_made_of(make: Any) -> None:
    own = outcome(make, shape=True)
    for metric in SHAPE:
        definition, _, name = metric.partition("/")
        values = values_per_case("segmentation", definition, own.predictions)[name]
        assert values.mean() == pytest.approx(own.metrics[metric])


def test_masks_that_are_kept_are_what_was_scored(make: Any) -> None:
    own = outcome(make, keep_masks=True, shape=True)
    predicted, truth = own.predictions["test_mask"], own.predictions["test_true_mask"]
    assert predicted.shape == truth.shape == (9, 64, 64)
    counts = own.predictions["test_counts"]
    assert ((predicted == 1) & (truth == 1)).sum((1, 2)).tolist() == counts[:, 1, 0].tolist()
    expected = [centreline_dice(p == 1, t == 1) for p, t in zip(predicted, truth, strict=True)]
    assert own.predictions["test_cldice"][:, 0].tolist() == pytest.approx(expected, abs=1e-6)


def test_a_record_with_masks_is_rescored_as_one_that_was_measured(make: Any) -> None:
    predictions = outcome(make, keep_masks=True, shape=True).predictions
    alone = {
        name: array
        for name, array in predictions.items()
        if name not in ("test_cldice", "test_betti", "test_centreline")
    }
    assert score("segmentation", alone) == score("segmentation", predictions)


def test_masks_of_several_sizes_are_kept_and_measured_as_they_are() -> None:
    truth = [np.ones((6, 9), np.uint8), np.eye(8, dtype=np.uint8)]
    predicted = [np.zeros((6, 9), np.uint8), np.eye(8, dtype=np.uint8)]
    arrays = {f"test_{n}": a for n, a in mask_arrays(predicted, truth, None).items()}
    arrays["test_counts"] = np.zeros((2, 2, 4), np.int32)
    assert arrays["test_mask"].shape == (2, 8, 9)
    for name, expected in shape_arrays(predicted, truth, 2, None).items():
        values = measured(arrays, name)
        assert values is not None
        assert np.array_equal(values, expected)


def test_contours_are_measured_in_the_millimetres_of_the_size_of_scoring(make: Any) -> None:
    own = outcome(make, millimetres=True, shape=True, keep_masks=True)
    # Masks of 48 pixels of 0.5 mm are scored at 64 pixels.
    assert own.predictions["test_spacing"].tolist() == [[0.375, 0.375]] * 9
    assert own.metrics["nsd-surfel-1mm/nsd"] is not None


def test_a_declared_size_of_pixels_is_on_the_card_and_none_of_zero(tmp_path: Path) -> None:
    masks = np.zeros((3, 8, 8), np.uint8)
    masks[:, 2:5, 2:5] = 1
    arrays: dict[str, Any] = {
        f"{s}_{n}": masks for s in ("train", "val", "test") for n in ("images", "label")
    }
    np.savez(tmp_path / "own.npz", **arrays)
    plain = card_of(tmp_path / "own.npz")
    declaration = tmp_path / "own.yaml"
    declaration.write_text("pixel_spacing: [0.7, 0.5]\n")
    assert plain.pixel_spacing is None
    assert card_of(tmp_path / "own.npz").pixel_spacing == (0.7, 0.5)
    declaration.write_text("pixel_spacing: [0.7, 0]\n")
    with pytest.raises(DataError, match="greater than 0"):
        card_of(tmp_path / "own.npz")

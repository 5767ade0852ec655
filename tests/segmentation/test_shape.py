"""What a cell measures of shape where its recipe asks, and what kept masks give back."""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from omnibench.catalogue import tasks
from omnibench.data import pairs
from omnibench.data.declaration import read_declaration
from omnibench.data.npz import card_of
from omnibench.errors import DataError
from omnibench.scoring import case_values, values_per_case
from omnibench.task import Outcome
from omnibench.tasks.segmentation.cases import Cases
from omnibench.tasks.segmentation.centreline import centreline_dice
from omnibench.tasks.segmentation.shape import mask_arrays, measured, shape_arrays

SHAPE = (
    "cldice/cldice",
    "centreline/f1-2px",
    "betti-error/b0",
    "betti-error/b1",
    "nsd-surfel-1mm/nsd",
)


class Outcomes(NamedTuple):
    """What a unit on pixels of 0.5 mm leaves, plain, under `shape: true` and `keep_masks: true`."""

    plain: Outcome
    shape: Outcome
    masks: Outcome


@pytest.fixture(scope="module")
def outcomes(make_once: Any) -> Outcomes:
    def outcome(**recipe: Any) -> Outcome:
        unit, context = make_once(**recipe)
        card = unit.dataset.model_copy(update={"pixel_spacing": (0.5, 0.5)})
        (own,) = tasks.get("segmentation").run(replace(unit, dataset=card), context)
        return own

    return Outcomes(outcome(), outcome(shape=True), outcome(keep_masks=True))


def test_shape_is_measured_where_a_recipe_asks_and_nothing_else_changes(
    outcomes: Outcomes,
) -> None:
    plain, own = outcomes.plain.metrics, outcomes.shape.metrics
    assert not set(SHAPE) & set(plain)
    assert {name: own[name] for name in plain} == plain
    assert all(own[name] is not None for name in SHAPE)
    values = outcomes.shape.predictions["test_cldice"]
    assert values.any()
    assert own["cldice/cldice"] == pytest.approx(values.mean(), abs=1e-6)


def test_values_of_cases_are_what_their_mean_is_made_of(outcomes: Outcomes) -> None:
    own = outcomes.shape
    for metric in SHAPE:
        definition, _, name = metric.partition("/")
        values = values_per_case("segmentation", definition, own.predictions)[name]
        assert values.mean() == pytest.approx(own.metrics[metric])


def test_masks_that_are_kept_are_what_was_scored(outcomes: Outcomes) -> None:
    predictions = outcomes.masks.predictions
    predicted, truth = predictions["test_mask"], predictions["test_true_mask"]
    assert predicted.shape == truth.shape == (9, 64, 64)
    counts = predictions["test_counts"]
    assert ((predicted == 1) & (truth == 1)).sum((1, 2)).tolist() == counts[:, 1, 0].tolist()
    expected = [centreline_dice(p == 1, t == 1) for p, t in zip(predicted, truth, strict=True)]
    values = outcomes.shape.predictions["test_cldice"]
    assert values[:, 0].tolist() == pytest.approx(expected, abs=1e-6)


def test_a_record_with_masks_alone_is_scored_as_one_that_was_measured(outcomes: Outcomes) -> None:
    assert not {"test_cldice", "test_surfel"} & set(outcomes.masks.predictions)
    assert outcomes.masks.metrics == outcomes.shape.metrics
    of_masks = case_values("segmentation", outcomes.masks.predictions)
    of_shape = case_values("segmentation", outcomes.shape.predictions)
    assert of_masks.keys() == of_shape.keys()
    for name, values in of_masks.items():
        assert values.tobytes() == of_shape[name].tobytes()


def test_contours_are_measured_in_the_millimetres_of_the_size_of_scoring(
    outcomes: Outcomes,
) -> None:
    # Masks of 48 pixels of 0.5 mm are scored at 64 pixels.
    assert outcomes.masks.predictions["test_spacing"].tolist() == [[0.375, 0.375]] * 9


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


def test_the_millimetres_of_files_are_those_of_their_own_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omnibench.data.image_files.WHOLE_SIDE", 20)  # so that all are cut
    for split in ("train", "val", "test"):
        for name, shape in (("a", (24, 48)), ("b", (40, 32))):
            mask = np.zeros(shape, np.uint8)
            mask[4:12, 4:12] = 1
            for folder in ("images", "masks"):
                (tmp_path / split / folder).mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask).save(tmp_path / split / folder / f"{name}.png")
    (tmp_path / "omnibench.yaml").write_text("pixel_spacing: [0.5, 0.25]\n")
    whole = pairs.read(pairs.card_of(tmp_path), tmp_path / "cache")
    rows = np.arange(2)
    for dataset in (whole, whole.at(32)):
        scored = Cases.from_dataset(dataset, 32, "input", None)
        assert scored.spacings("test", rows) == [(0.375, 0.375), (0.625, 0.25)]
    assert Cases.from_dataset(whole, 32, "native", None).spacings("test", rows) == [(0.5, 0.25)] * 2


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[0.7, 0]", "greater than 0"),
        ("[-0.7, 0.5]", "greater than 0"),
        ("[.nan, 0.5]", "valid number"),
        ("[.inf, 0.5]", "valid number"),
        ("[0.7]", "Field required"),
        ("[0.7, 0.7, 1.0]", "at most 2"),
        ("0.7", "valid tuple"),
        ("[a, b]", "valid number"),
    ],
)
def test_a_size_of_pixels_that_is_none_is_refused(tmp_path: Path, value: str, message: str) -> None:
    (tmp_path / "own.yaml").write_text(f"pixel_spacing: {value}\n")
    with pytest.raises(DataError, match=message):
        read_declaration(tmp_path / "own.npz")


def test_a_declared_size_of_pixels_is_on_the_card(tmp_path: Path) -> None:
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


def test_every_measure_has_a_value_for_empty_full_and_single_pixels() -> None:
    empty, full = np.zeros((7, 9), np.uint8), np.ones((7, 9), np.uint8)
    corner, edge, dots = empty.copy(), empty.copy(), empty.copy()
    corner[0, 0] = edge[6, 2:5] = dots[1::2, 1::2] = 1
    masks = [empty, full, corner, edge, dots]
    pairs = [(a, b) for a in masks for b in masks]
    predicted, truth = [a for a, _ in pairs], [b for _, b in pairs]
    arrays = shape_arrays(predicted, truth, 2, [(0.5, 2.0)] * len(pairs))
    for name, values in arrays.items():
        assert np.isfinite(values).all(), name
        best = 0 if name == "betti" else 1
        for (a, b), value in zip(pairs, values, strict=True):
            if a is b:
                assert (value == best).all(), name
            elif name != "betti" and not (a.any() and b.any()):
                assert (value == 0).all(), name


def test_masks_that_do_not_fit_are_refused() -> None:
    mask, other = np.ones((7, 9), np.uint8), np.ones((9, 7), np.uint8)
    with pytest.raises(DataError, match="must both be"):
        shape_arrays([mask], [other], 2, None)
    with pytest.raises(DataError, match="class indices"):
        shape_arrays([2 * mask], [mask], 2, None)

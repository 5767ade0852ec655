from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.metrics.meandice import compute_dice
from monai.metrics.meaniou import compute_iou
from numpy.typing import NDArray
from sklearn import metrics as sk
from torch import Tensor
from torchmetrics.functional.classification import (
    multiclass_f1_score,
    multiclass_jaccard_index,
    multiclass_precision,
    multiclass_recall,
)

from omnibench.scoring import score
from omnibench.tasks.segmentation.counts import counts_of
from omnibench.tasks.segmentation.metrics import METRICS, miou

# Metrics of a definition share one pass, and so its functions.
BY_DEFINITION = {metric.definition: metric for metric in METRICS}
NAMES = ["miou", "dice", "precision", "recall", "specificity", "f1"]
UP = ("up", "points")
OVERLAPS = ["per-image-foreground", "per-image-macro", "dataset", "omnirad-batch16"]


def compute(definition: Any, predicted: Any, truth: Any, classes: Any) -> Any:
    counts = counts_of(predicted, truth, classes)
    return BY_DEFINITION[definition].compute({"test_counts": counts})


@st.composite
def masks(draw: Any, most: int = 20) -> tuple[Any, ...]:
    """Small masks in which classes are often absent and whole images of one class."""
    classes, images = draw(st.integers(2, 4)), draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    both = []
    for _ in range(2):
        shown = [rng.choice(classes, rng.integers(1, classes + 1)) for _ in range(images)]
        both.append(np.stack([rng.choice(some, (3, 4)) for some in shown]))
    return *both, classes


def one_hot(values: Any, classes: Any) -> Tensor:
    return torch.as_tensor(np.moveaxis(np.eye(classes)[values], -1, 1))


@settings(max_examples=60)
@given(masks())
@pytest.mark.parametrize("background", [False, True])
def test_per_image_overlaps_equal_monais(background: bool, case: Any) -> None:
    predicted, truth, classes = case
    ours = compute(OVERLAPS[background], predicted, truth, classes)
    p, t = one_hot(predicted, classes), one_hot(truth, classes)
    dice = compute_dice(p, t, include_background=background, ignore_empty=False).mean()
    iou = compute_iou(p, t, include_background=background, ignore_empty=False).mean()
    assert ours["dice"] == pytest.approx(float(dice), abs=1e-6)
    assert ours["miou"] == pytest.approx(float(iou), abs=1e-6)
    assert ours["f1"] == ours["dice"]


@settings(max_examples=30)
@given(masks(most=4))
@pytest.mark.parametrize("background", [False, True])
def test_per_image_rates_equal_scikit_learns(background: bool, case: Any) -> None:
    predicted, truth, classes = case
    values: dict[str, list[float]] = {
        name: [] for name in ("precision", "recall", "specificity", "f1")
    }
    for image in range(len(truth)):
        for label in range(0 if background else 1, classes):
            p, t = (predicted[image] == label).ravel(), (truth[image] == label).ravel()
            if not (p | t).any():
                actual = [1.0] * 4
            else:
                actual = [
                    sk.precision_score(t, p, zero_division=0),
                    sk.recall_score(t, p, zero_division=0),
                    sk.recall_score(~t, ~p, zero_division=1),
                    sk.f1_score(t, p, zero_division=0),
                ]
            for name, value in zip(values, actual, strict=True):
                values[name].append(value)
    ours = compute(OVERLAPS[background], predicted, truth, classes)
    for name, each in values.items():
        assert ours[name] == pytest.approx(np.mean(each), abs=1e-12)


@settings(max_examples=60)
@given(masks())
def test_pooled_metrics_equal_torchmetrics(case: Any) -> None:
    predicted, truth, classes = case
    ours = compute("dataset", predicted, truth, classes)
    p, t = torch.as_tensor(predicted), torch.as_tensor(truth)
    for name, reference in (
        ("miou", multiclass_jaccard_index),
        ("f1", multiclass_f1_score),
        ("dice", multiclass_f1_score),
        ("precision", multiclass_precision),
        ("recall", multiclass_recall),
    ):
        expected = float(reference(p, t, num_classes=classes, average="macro"))
        assert ours[name] == pytest.approx(expected, abs=1e-6), name
    present = np.union1d(predicted, truth)
    specificity = [
        sk.recall_score((truth != c).ravel(), (predicted != c).ravel(), zero_division=1)
        for c in present
    ]
    assert ours["specificity"] == pytest.approx(np.mean(specificity), abs=1e-12)


EMPTY, FULL = np.zeros((1, 4, 4), int), np.ones((1, 4, 4), int)


@pytest.mark.parametrize(
    ("predicted", "truth", "foreground", "macro", "pooled", "batch"),
    [
        # In the order of NAMES. Classes: background and one other.
        (EMPTY, EMPTY, [1] * 6, [1] * 6, [1] * 6, [1] * 6),
        (FULL, FULL, [1] * 6, [1] * 6, [1] * 6, [1] * 6),
        (EMPTY, FULL, [0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0.5, 0], [0, 0, 0, 0, 0.5, 0], [0] * 6),
        (FULL, EMPTY, [0] * 6, [0, 0, 0, 0, 0.5, 0], [0, 0, 0, 0, 0.5, 0], [0] * 6),
    ],
)
def test_empty_and_full_masks(
    predicted: Any, truth: Any, foreground: Any, macro: Any, pooled: Any, batch: Any
) -> None:
    for definition, expected in zip(OVERLAPS, (foreground, macro, pooled, batch), strict=True):
        ours = compute(definition, predicted, truth, 2)
        assert ours == dict(zip(NAMES, expected, strict=True)), definition


def test_an_absent_class_counts_1_per_image_and_is_dropped_from_the_pool() -> None:
    truth = np.zeros((2, 1, 4), int)
    truth[:, 0, :2] = 1
    predicted = np.zeros_like(truth)
    predicted[:, 0, 0] = 1  # IoU 2/3 of the background, 1/2 of class 1; class 2 is nowhere
    assert compute("per-image-foreground", predicted, truth, 3)["miou"] == pytest.approx(3 / 4)
    assert compute("per-image-macro", predicted, truth, 3)["miou"] == pytest.approx(13 / 18)
    for definition in ("dataset", "omnirad-batch16"):
        assert compute(definition, predicted, truth, 3)["miou"] == pytest.approx(7 / 12)


@pytest.fixture
def sorted_masks() -> tuple[NDArray[Any], NDArray[Any]]:
    """40 masks, the first with no foreground, ever larger ones after it."""
    rng = np.random.default_rng(0)
    share = np.linspace(0, 0.8, 40)[:, None, None]
    truth = rng.random((40, 16, 16)) < share
    return np.where(rng.random(truth.shape) < 0.2, rng.random(truth.shape) < 0.3, truth), truth


def test_the_same_counts_give_four_numbers_and_order_moves_one_of_them(
    sorted_masks: tuple[NDArray[Any], NDArray[Any]],
) -> None:
    predicted, truth = sorted_masks
    shuffled = np.random.default_rng(1).permutation(len(truth))
    first, second = (
        {name: compute(name, predicted[order], truth[order], 2)["miou"] for name in OVERLAPS}
        for order in (np.arange(len(truth)), shuffled)
    )
    values = sorted(first.values())
    assert min(np.diff(values)) > 0.005
    for definition in ("per-image-foreground", "per-image-macro", "dataset"):
        assert second[definition] == pytest.approx(first[definition], abs=1e-12)
    assert abs(second["omnirad-batch16"] - first["omnirad-batch16"]) > 0.005


def test_what_is_a_mean_over_images_says_so(
    sorted_masks: tuple[NDArray[Any], NDArray[Any]],
) -> None:
    predictions: Any = {
        "test_counts": counts_of(*sorted_masks, 2),
        "test_hd95": np.arange(80, dtype=np.float32).reshape(40, 2),
        "test_nsd": np.linspace(0, 1, 80, dtype=np.float32).reshape(40, 2),
    }
    for definition in BY_DEFINITION.values():
        computed: Any = definition.compute(predictions)
        if definition.per_case is None:
            assert definition.definition in ("dataset", "omnirad-batch16")
            continue
        cases: Any = definition.per_case(predictions)
        assert computed is not None
        assert list(cases) == list(computed)
        for name, values in cases.items():
            assert (values.shape, values.dtype) == ((40,), np.float64)
            assert computed is not None
            assert values.mean() == computed[name]
    assert (
        miou(predictions["test_counts"])
        == score("segmentation", predictions)["per-image-foreground/miou"]
    )


def test_the_primary_comes_first_and_distances_name_their_direction() -> None:
    assert [metric.id for metric in METRICS if metric.reported] == [
        "per-image-foreground/dice",
        "per-image-foreground/miou",
        "hd95-max-directed/hd95",
        "cldice/cldice",
        "centreline/f1-2px",
        "betti-error/b0",
        "betti-error/b1",
        "nsd-surfel-1mm/nsd",
    ]
    assert {m.id: (m.direction, m.unit) for m in METRICS if (m.direction, m.unit) != UP} == {
        "hd95-max-directed/hd95": ("down", "pixels"),
        "betti-error/b0": ("down", "count"),
        "betti-error/b1": ("down", "count"),
    }


def test_distances_are_means_over_classes_then_images_and_absent_from_older_records() -> None:
    counts = counts_of(FULL.repeat(2, 0), FULL.repeat(2, 0), 3)
    older = score("segmentation", {"test_counts": counts})
    assert set(older) == {f"{definition}/{name}" for definition in OVERLAPS for name in NAMES}
    stored = {
        "test_hd95": np.array([[1, 3], [5, 7]], np.float32),
        "test_nsd": np.array([[1, 0.5], [0, 0.5]], np.float32),
    }
    newer = score("segmentation", {"test_counts": counts, **stored})
    assert newer == {**older, "hd95-max-directed/hd95": 4.0, "nsd-2px/nsd": 0.5}

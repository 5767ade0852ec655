"""Metrics of views and slices against scikit-learn on each subset, and where they do not exist."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from omnibench.scoring import chances, score
from omnibench.tasks.volumes.metrics import METRICS, missing, slices

Arrays = dict[str, NDArray[Any]]
SIZES = {"both": 30, "axial": 20, "sagittal": 10}


def predictions(kind: str) -> Arrays:
    """Studies with both views, the axial one and the sagittal one alone, in that order."""
    rng = np.random.default_rng(0)
    count, classes = sum(SIZES.values()), 2 if kind == "binary" else 3
    labels: NDArray[Any] = np.arange(count) % classes
    if kind == "multi-label":
        labels = rng.integers(0, 2, (count, classes))
    arrays = {
        "test_logits": rng.normal(size=(count, classes)).astype(np.float32),
        "test_labels": labels,
    }
    has = np.repeat([[1, 1], [1, 0], [0, 1]], list(SIZES.values()), axis=0).astype(np.int8)
    return {**arrays, "test_view:axial": has[:, 0], "test_view:sagittal": has[:, 1]}


def sklearns(arrays: Arrays, kind: str) -> float:
    logits, labels = arrays["test_logits"].astype(np.float64), arrays["test_labels"]
    if kind == "binary":
        return float(roc_auc_score(labels, logits[:, 1] - logits[:, 0]))
    if kind == "multi-label":
        return float(roc_auc_score(labels, logits, average="macro"))
    powers = np.exp(logits)
    shares = powers / powers.sum(axis=1, keepdims=True)
    return float(roc_auc_score(labels, shares, multi_class="ovr", average="macro"))


def part_of(arrays: Arrays, own: slice) -> Arrays:
    return {name: array[own] for name, array in arrays.items()}


@pytest.mark.parametrize("kind", ["binary", "multi-class", "multi-label"])
def test_the_auc_of_a_pattern_is_sklearns_on_the_studies_that_have_it(kind: str) -> None:
    arrays = predictions(kind)
    ends = dict(zip(SIZES, np.cumsum(list(SIZES.values())).tolist(), strict=True))
    expected = {
        name: sklearns(part_of(arrays, slice(ends[name] - size, ends[name])), kind)
        for name, size in SIZES.items()
    }
    areas = missing(arrays)
    assert areas == pytest.approx(
        {
            "auc-axial+sagittal": expected["both"],
            "auc-axial": expected["axial"],
            "auc-sagittal": expected["sagittal"],
            "worst": min(expected.values()),
            "drop": expected["both"] - min(expected.values()),
        }
    )


def test_a_drop_is_better_the_smaller_it_is() -> None:
    own = {metric.name: metric for metric in METRICS if metric.definition == "missing"}
    assert [own[name].direction for name in ("auc-*", "worst", "drop")] == ["up", "up", "down"]
    assert {metric.unit for metric in own.values()} == {"points"}


def test_nothing_is_said_of_missing_views_where_all_studies_have_the_same() -> None:
    whole = predictions("binary")
    assert missing(part_of(whole, slice(SIZES["both"]))) == {}
    assert missing(part_of(whole, slice(SIZES["both"], -SIZES["sagittal"]))) == {}
    assert missing({name: whole[name] for name in ("test_logits", "test_labels")}) == {}


def test_a_pattern_of_one_class_is_undefined_and_is_not_the_worst() -> None:
    arrays = predictions("binary")
    arrays["test_labels"][SIZES["both"] : SIZES["both"] + SIZES["axial"]] = 1
    areas = missing(arrays)
    assert areas["auc-axial"] is None
    defined = (areas["auc-axial+sagittal"], areas["auc-sagittal"])
    assert areas["worst"] == min(area for area in defined if area is not None)


def test_without_a_complete_study_there_is_a_worst_and_no_drop() -> None:
    areas = missing(part_of(predictions("binary"), slice(SIZES["both"], None)))
    assert set(areas) == {"auc-axial", "auc-sagittal", "worst", "drop"}
    assert areas["drop"] is None
    assert areas["worst"] is not None


def test_nothing_is_defined_where_no_pattern_is() -> None:
    arrays = predictions("binary")
    arrays["test_labels"][:] = 0
    assert set(missing(arrays).values()) == {None}


def of_slices(shown: list[list[int]], weights: list[list[float]]) -> Arrays:
    count = len(shown)
    return {
        "test_logits": np.zeros((count, 2), np.float32),
        "test_labels": np.arange(count) % 2,
        "test_slice_shown": np.array(shown, np.int8),
        "test_slice_weight": np.array(weights, np.float32),
    }


def test_the_auc_of_slices_is_the_mean_of_sklearns_over_studies_with_both_kinds() -> None:
    rng = np.random.default_rng(1)
    shown = [[0, 1, 1, 0, -1], [0, 0, 0, 0, 0], [1, 0, 0, -1, -1], [1, 1, -1, -1, -1]]
    weights = rng.dirichlet(np.ones(5), 4).astype(np.float32)
    weights[np.array(shown) < 0] = np.nan
    expected = np.mean(
        [
            roc_auc_score(np.array(shown[study])[:size], weights[study, :size])
            for study, size in ((0, 4), (2, 3))
        ]
    )
    assert slices(of_slices(shown, weights.tolist())) == {"weight-auc": pytest.approx(expected)}


def test_the_auc_of_slices_is_undefined_without_a_study_of_both_kinds() -> None:
    assert slices(of_slices([[0, 0], [1, -1]], [[0.5, 0.5], [1.0, np.nan]])) == {"weight-auc": None}
    assert slices(predictions("binary")) == {}


def test_a_guess_scores_one_half_and_loses_nothing() -> None:
    arrays = {**predictions("binary"), **of_slices([[0, 1]] * 60, [[0.1, 0.9]] * 60)}
    own = {name: chance.value for name, chance in chances("volumes", arrays).items()}
    assert own["slices/weight-auc"] == own["missing/worst"] == own["missing/auc-axial"] == 0.5
    assert own["missing/drop"] == 0
    defined = {name for name, value in score("volumes", arrays).items() if value is not None}
    assert {name for name in defined if name.startswith("missing/")} <= set(own)

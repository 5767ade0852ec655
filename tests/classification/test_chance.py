"""What a guess scores: each closed form against many simulated guesses, through the metrics."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.scoring import chances
from omnibench.task import Chance
from omnibench.tasks.classification import chance
from omnibench.tasks.classification.metrics import (
    omnibench_classification,
    omnirad_classification,
)

GUESSES = 4000
SIZES = (25, 11, 4)
LABELS = np.repeat(np.arange(len(SIZES)), SIZES)
SEVERAL = np.stack([np.arange(40) < 30, np.arange(40) % 5 == 0, np.arange(40) < 2], axis=1)


def simulated(metric: Callable[..., Any], name: str, labels: Any, logits: Any) -> tuple[float, Any]:
    """Return the mean of a metric over guesses [G, N, C], and its standard error."""
    values = [metric({"test_labels": labels, "test_logits": guess})[name] for guess in logits]
    return float(np.mean(values)), float(np.std(values)) / np.sqrt(len(values))


def drawn(classes: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(GUESSES, len(LABELS), classes)).astype(np.float32)


def exact(known: Any, name: str, labels: Any, logits: Any) -> None:
    metric = omnirad_classification if name != "brier" else omnibench_classification
    of_guess = metric({"test_labels": labels, "test_logits": np.asarray(logits, np.float32)})
    assert known[name].value == pytest.approx(of_guess[name], abs=1e-12)


def test_chances_of_classes_equal_the_metrics_of_simulated_guesses() -> None:
    predictions = {"test_labels": LABELS, "test_logits": np.zeros((len(LABELS), 3))}
    known = {
        **chance.omnirad_classification(predictions),
        **chance.omnibench_classification(predictions),
    }
    guesses = drawn(3)
    for metric, name in (
        (omnirad_classification, "macro-f1"),
        (omnirad_classification, "auc"),
        (omnibench_classification, "balanced-accuracy"),
    ):
        mean, error = simulated(metric, name, LABELS, guesses)
        assert known[name].value == pytest.approx(mean, abs=4 * error + 1e-3)
    exact(known, "accuracy", LABELS, np.tile([1.0, 0.0, 0.0], (len(LABELS), 1)))
    exact(known, "auc", LABELS, np.zeros((len(LABELS), 3)))
    exact(known, "brier", LABELS, np.zeros((len(LABELS), 3)))


def test_chances_of_labels_equal_the_metrics_of_simulated_guesses() -> None:
    labels = SEVERAL.astype(np.int64)
    predictions = {"test_labels": labels, "test_logits": np.zeros(labels.shape)}
    known = chance.omnirad_classification(predictions)
    guesses = np.random.default_rng(1).normal(size=(GUESSES, *labels.shape)).astype(np.float32)
    for name in ("macro-f1", "auc", "auc-1"):
        mean, error = simulated(omnirad_classification, name, labels, guesses)
        assert known[name].value == pytest.approx(mean, abs=4 * error + 1e-3)
    exact(known, "accuracy", labels, np.tile([1.0, -1.0, -1.0], (len(labels), 1)))
    assert chance.omnibench_classification(predictions) == {}


def test_what_is_undefined_without_a_class_has_no_chance() -> None:
    predictions = {"test_labels": LABELS[:30], "test_logits": np.zeros((30, 3))}
    assert set(chance.omnirad_classification(predictions)) == {"accuracy"}
    assert omnirad_classification(predictions)["auc"] is None


def test_a_task_gives_the_chances_of_all_its_metrics_by_their_ids() -> None:
    predictions = {"test_labels": LABELS, "test_logits": np.zeros((len(LABELS), 3))}
    known = chances("classification", predictions)
    assert known["omnirad-classification/auc"] == Chance(0.5, chance.EQUAL_SCORES)
    assert known["omnibench-classification/balanced-accuracy"].value == pytest.approx(1 / 3)
    assert "omnibench-classification/ece" not in known

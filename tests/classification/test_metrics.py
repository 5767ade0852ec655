from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from omnibench.errors import DataError
from omnibench.stats.rates import softmax
from omnibench.tasks.classification.cases import validation_retfound_score
from omnibench.tasks.classification.metrics import (
    multi_label,
    omnibench_classification,
    omnirad_classification,
    omnirad_classification_4dp,
)
from omnibench.tasks.classification.retfound import retfound


@st.composite
def single_label(draw: Any) -> tuple[Any, Any]:
    classes = draw(st.integers(2, 6))
    count = draw(st.integers(2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = rng.integers(0, draw(st.integers(1, classes)), count)  # later classes may be absent
    kind = draw(st.sampled_from(["normal", "ties", "constant"]))
    logits = {
        "normal": rng.standard_normal((count, classes)),
        "ties": rng.integers(0, 3, (count, classes)).astype(float),
        "constant": np.zeros((count, classes)),
    }[kind]
    return logits.astype(np.float32), labels.astype(np.int64)


@settings(max_examples=150)
@given(single_label())
@pytest.mark.filterwarnings("ignore")
def test_single_label_metrics_equal_scikit_learns(case: Any) -> None:
    logits, labels = case
    predictions = {"test_logits": logits, "test_labels": labels}
    ours = {**omnirad_classification(predictions), **omnibench_classification(predictions)}
    predicted = logits.argmax(axis=1)
    assert ours["accuracy"] == pytest.approx(sk.accuracy_score(labels, predicted), abs=1e-12)
    assert ours["macro-f1"] == pytest.approx(
        sk.f1_score(labels, predicted, average="macro"), abs=1e-12
    )
    assert ours["balanced-accuracy"] == pytest.approx(
        sk.balanced_accuracy_score(labels, predicted), abs=1e-12
    )
    classes = logits.shape[1]
    if len(np.unique(labels)) < classes:
        assert ours["auc"] is None
    elif classes == 2:
        scores = logits[:, 1].astype(float) - logits[:, 0]
        assert ours["auc"] == pytest.approx(sk.roc_auc_score(labels, scores), abs=1e-12)
    else:
        expected = sk.roc_auc_score(labels, softmax(logits), multi_class="ovr", average="macro")
        assert ours["auc"] == pytest.approx(expected, abs=1e-12)


def test_the_released_rounding_is_a_definition_of_its_own() -> None:
    rng = np.random.default_rng(3)
    predictions = {
        "test_logits": rng.standard_normal((97, 3)),
        "test_labels": rng.integers(0, 3, 97),
    }
    exact, rounded = (omnirad_classification(predictions), omnirad_classification_4dp(predictions))
    assert rounded == {name: round(value, 4) for name, value in exact.items() if value is not None}
    assert exact != rounded


@pytest.mark.filterwarnings("ignore")
def test_multi_label_metrics_equal_scikit_learns() -> None:
    rng = np.random.default_rng(2)
    labels, logits = rng.integers(0, 2, (70, 5)), rng.standard_normal((70, 5))
    labels[:, 4] = 0
    ours = omnirad_classification({"test_logits": logits, "test_labels": labels})
    predicted = (logits > 0).astype(int)
    assert ours["macro-f1"] == pytest.approx(sk.f1_score(labels, predicted, average="macro"))
    assert ours["accuracy"] == pytest.approx((labels == predicted).mean())
    assert ours["auc"] is None  # label 4 never occurs
    for label in range(4):
        expected = sk.roc_auc_score(labels[:, label], logits[:, label])
        assert ours[f"auc-{label}"] == pytest.approx(expected)
    assert omnibench_classification({"test_logits": logits, "test_labels": labels}) == {}


def test_findings_with_a_good_auc_are_counted() -> None:
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, (80, 6))
    logits = rng.standard_normal((80, 6)) + labels * [0, 0.5, 1, 2, 3, 4]
    areas = [sk.roc_auc_score(labels[:, c], logits[:, c]) for c in range(6)]
    good = sum(area >= 0.9 for area in areas)
    assert 0 < good < 6
    assert multi_label({"test_logits": logits, "test_labels": labels}) == {"auc-at-least-90": good}
    weights = {"test_weight": np.ones(80), "test_logits": logits, "test_labels": labels}
    assert multi_label(weights) == {"auc-at-least-90": good}
    edge, truth = np.arange(11.0)[:, None], np.arange(11)[:, None] == 9  # 9 of 10 pairs are right
    assert multi_label({"test_logits": edge, "test_labels": truth}) == {"auc-at-least-90": 1}
    labels[:, 0] = 0
    assert multi_label({"test_logits": logits, "test_labels": labels}) == {"auc-at-least-90": None}
    assert multi_label({"test_logits": logits, "test_labels": labels[:, 1]}) == {}


@settings(max_examples=60)
@given(single_label())
@pytest.mark.filterwarnings("ignore")
def test_retfounds_metrics_equal_scikit_learns_on_one_hot_classes(case: Any) -> None:
    logits, labels = case
    ours: Any = retfound({"test_logits": logits, "test_labels": labels})
    classes, predicted, shares = logits.shape[1], logits.argmax(axis=1), softmax(logits)
    truth, answer = np.eye(classes, dtype=int)[labels], np.eye(classes, dtype=int)[predicted]
    macro: Any = {"average": "macro", "zero_division": 0}
    expected = {
        "accuracy": sk.accuracy_score(labels, predicted),
        "f1": sk.f1_score(truth, answer, **macro),
        "hamming": sk.hamming_loss(truth, answer),
        "jaccard": sk.jaccard_score(truth, answer, **macro),
        "precision": sk.precision_score(truth, answer, **macro),
        "recall": sk.recall_score(truth, answer, **macro),
    }
    for name, value in expected.items():
        assert ours[name] == pytest.approx(value, abs=1e-12), name
    alike = len(np.unique(np.concatenate([labels, predicted]))) == 1
    kappa = None if alike else pytest.approx(sk.cohen_kappa_score(labels, predicted), abs=1e-12)
    assert ours["kappa"] == kappa
    if len(np.unique(labels)) < classes:
        assert ours["auroc"] is ours["auprc"] is ours["score"] is None
        return
    assert ours["auroc"] == pytest.approx(sk.roc_auc_score(truth, shares), abs=1e-12)
    assert ours["auprc"] == pytest.approx(
        sk.average_precision_score(truth, shares, average="macro"), abs=1e-12
    )
    assert ours["score"] == pytest.approx(
        (ours["f1"] + ours["auroc"] + ours["kappa"]) / 3, abs=1e-12
    )
    assert ours["score"] == validation_retfound_score(logits, labels)


def test_retfounds_metrics_are_of_one_class_an_image() -> None:
    labels = np.array([[0, 1], [1, 0]])
    assert retfound({"test_logits": np.zeros((2, 2)), "test_labels": labels}) == {}
    alone = np.zeros(4, np.int64)
    with pytest.raises(DataError, match="'retfound-score' is undefined on the validation images"):
        validation_retfound_score(np.zeros((4, 2), np.float32), alone)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omnibench.tasks.classification.metrics import (
    binary_auc,
    brier_score,
    expected_calibration_error,
    omnibench_classification,
    omnirad_classification,
    omnirad_classification_4dp,
    sigmoid,
    softmax,
)
from sklearn import metrics as sk


@st.composite
def single_label(draw):
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


@settings(max_examples=150, deadline=None)
@given(single_label())
@pytest.mark.filterwarnings("ignore")
def test_single_label_metrics_equal_scikit_learns(case):
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


def test_the_released_rounding_is_a_definition_of_its_own():
    rng = np.random.default_rng(3)
    predictions = {
        "test_logits": rng.standard_normal((97, 3)),
        "test_labels": rng.integers(0, 3, 97),
    }
    exact, rounded = (omnirad_classification(predictions), omnirad_classification_4dp(predictions))
    assert {name: round(value, 4) for name, value in exact.items()} == rounded
    assert exact != rounded


def test_brier_of_two_classes_is_twice_scikit_learns():
    rng = np.random.default_rng(0)
    labels, p = rng.integers(0, 2, 80), rng.random(80)
    both = np.stack([1 - p, p], axis=1)
    ours = brier_score(np.eye(2)[labels], both)
    assert ours == pytest.approx(2 * sk.brier_score_loss(labels, p), abs=1e-12)


def test_calibration_error_by_its_definition():
    rng = np.random.default_rng(1)
    confidence = np.concatenate([rng.random(200), [0.0, 1.0, 1 / 15, 2 / 15]])
    correct = rng.random(204) < confidence
    expected = 0.0
    for index in range(15):
        low, high = index / 15, (index + 1) / 15
        inside = (confidence > low) & (confidence <= high)
        if index == 0:
            inside |= confidence == 0
        if inside.any():
            gap = abs(correct[inside].mean() - confidence[inside].mean())
            expected += inside.mean() * gap
    assert expected_calibration_error(confidence, correct) == pytest.approx(expected, abs=1e-12)


def test_calibration_error_of_a_calibrated_and_of_an_overconfident_model():
    assert expected_calibration_error(np.full(10, 0.8), np.arange(10) < 8) == pytest.approx(0)
    assert expected_calibration_error(np.ones(10), np.arange(10) < 5) == pytest.approx(0.5)


@pytest.mark.filterwarnings("ignore")
def test_multi_label_metrics_equal_scikit_learns():
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


def test_auc_without_one_of_the_classes_is_undefined_not_a_number():
    assert binary_auc(np.ones(5, bool), np.arange(5.0)) is None
    assert binary_auc(np.array([True, False]), np.zeros(2)) == 0.5


def test_extreme_logits_stay_finite():
    assert np.allclose(softmax(np.array([[1e4, -1e4]])), [[1, 0]])
    assert np.allclose(sigmoid(np.array([[1e4, -1e4]])), [[1, 0]])

"""Weights of test sets of mixed quality give the average over independent draws of the quality."""

import itertools
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score

from omnibench.scoring import by_decoding, score

DEFINITION, FURTHER = "omnirad-classification", "omnibench-classification"


def predictions(classes: int, count: int = 9, shares: tuple[float, ...] = (0, 0.25, 1)) -> Any:
    rng = np.random.default_rng(classes)
    return {
        "test_logits": rng.normal(size=(count, classes)).astype(np.float32),
        "test_logits@low": rng.normal(size=(count, classes)).astype(np.float32),
        "test_labels": np.arange(count) % classes,
        "test_case": np.arange(count),
        "val_logits": np.zeros((4, classes), np.float32),
        "shares@low": np.array(shares),
    }


def shares_of(logits: Any) -> Any:
    powers = np.exp(logits.astype(np.float64))
    return powers / powers.sum(axis=1, keepdims=True)


def area(labels: Any, logits: Any) -> float:
    if logits.shape[1] == 2:
        return float(roc_auc_score(labels, logits[:, 1].astype(np.float64) - logits[:, 0]))
    return float(roc_auc_score(labels, shares_of(logits), multi_class="ovr"))


def brier(labels: Any, logits: Any) -> float:
    truth = np.eye(logits.shape[1])[labels]
    return float(((shares_of(logits) - truth) ** 2).sum(axis=1).mean())


@pytest.mark.parametrize("classes", [2, 3])
def test_weighted_metrics_are_the_expectation_over_all_draws(classes: int) -> None:
    """By brute force over the 2^9 ways in which each case is of either quality."""
    arrays, share = predictions(classes), 0.25
    labels, copies = arrays["test_labels"], (arrays["test_logits"], arrays["test_logits@low"])
    functions = {
        f"{DEFINITION}/accuracy": lambda truth, z: accuracy_score(truth, z.argmax(axis=1)),
        f"{DEFINITION}/auc": area,
        f"{FURTHER}/balanced-accuracy": lambda t, z: balanced_accuracy_score(t, z.argmax(axis=1)),
        f"{FURTHER}/brier": brier,
    }
    expected = dict.fromkeys(functions, 0.0)
    for low in itertools.product([0, 1], repeat=len(labels)):
        drawn = np.where(np.array(low)[:, None], copies[1], copies[0])
        chance = share ** sum(low) * (1 - share) ** (len(low) - sum(low))
        for name, function in functions.items():
            expected[name] += chance * float(function(labels, drawn))
    scores = score("classification", arrays)
    for name, value in expected.items():
        assert scores[name.replace("/", "@low-q25/")] == pytest.approx(value, abs=1e-12)


def test_macro_f1_is_that_of_expected_counts() -> None:
    arrays = predictions(3)
    expected = np.zeros((3, 3))
    for weight, name in ((0.75, "test_logits"), (0.25, "test_logits@low")):
        for label, answer in zip(arrays["test_labels"], arrays[name].argmax(axis=1), strict=True):
            expected[label, answer] += weight
    sizes = expected.sum(axis=0) + expected.sum(axis=1)
    f1 = (2 * np.diag(expected) / sizes).mean()
    assert score("classification", arrays)[f"{DEFINITION}@low-q25/macro-f1"] == pytest.approx(f1)


def test_none_and_all_of_low_quality_are_the_copies_themselves() -> None:
    arrays = predictions(2)
    scores = score("classification", arrays)
    low = score(
        "classification", {**without_views(arrays), "test_logits": arrays["test_logits@low"]}
    )
    for key, value in score("classification", without_views(arrays)).items():
        assert scores[key] == scores[key.replace("/", "@low-q0/")] == value
        assert scores[key.replace("/", "@low-q100/")] == low[key]


def without_views(arrays: Any) -> Any:
    return {name: array for name, array in arrays.items() if "@" not in name}


def test_several_labels_are_weighted_alike() -> None:
    rng = np.random.default_rng(0)
    arrays = predictions(3)
    arrays["test_labels"] = (rng.random((9, 3)) < 0.5).astype(np.int64)
    arrays["shares@low"] = np.array([0.5])
    scores = score("classification", arrays)
    pooled = {
        "test_logits": np.concatenate([arrays["test_logits"], arrays["test_logits@low"]]),
        "test_labels": np.tile(arrays["test_labels"], (2, 1)),
    }
    for key, value in score("classification", pooled).items():  # equal weights are none
        if key.startswith(f"{DEFINITION}/"):
            assert scores[key.replace("/", "@low-q50/")] == pytest.approx(value)


def test_both_copies_of_a_case_are_one_patient() -> None:
    arrays = predictions(2)
    view = by_decoding(arrays)["@low-q25"]
    assert view["test_group"].tolist() == [*range(9), *range(9)]
    assert view["test_weight"].tolist() == [0.75] * 9 + [0.25] * 9
    groups = np.array(list("aabbccddd"))
    view = by_decoding({**arrays, "test_group": groups})["@low-q25"]
    assert view["test_group"].tolist() == [*groups, *groups]


def test_metrics_that_know_no_weights_are_not_of_a_mix() -> None:
    scores = score("classification", predictions(2))
    mixed = {key.partition("@")[0] for key in scores if "@low-q25/" in key}
    assert mixed == {DEFINITION, FURTHER}


def test_scored_cases_weigh_as_stratified_draws_of_both_qualities_do() -> None:
    """By brute force over all test sets of one image of low and one of high quality a class."""
    rng = np.random.default_rng(0)
    labels, low = np.repeat([0, 1], 5), np.array([1, 1, 0, 0, 0, 1, 1, 1, 0, 0], bool)
    logits = rng.normal(size=(10, 2)).astype(np.float32)
    arrays = {"test_logits": logits, "test_labels": labels, "test_case": np.arange(10)}
    scores = score(
        "classification", {**arrays, "test_low@low": low, "shares@low": np.array([0, 0.5])}
    )
    strata = [np.flatnonzero((labels == k) & (low == q)) for k in (0, 1) for q in (True, False)]
    draws = [list(rows) for rows in itertools.product(*strata)]
    accuracies = [accuracy_score(labels[rows], logits[rows].argmax(axis=1)) for rows in draws]
    assert scores[f"{DEFINITION}@low-q50/accuracy"] == pytest.approx(np.mean(accuracies))
    # An area takes a pair of classes: every pair of their strata is drawn as often.
    areas = [area(labels[rows], logits[rows]) for rows in draws]
    assert scores[f"{DEFINITION}@low-q50/auc"] == pytest.approx(np.mean(areas))
    high = ~low
    weights = np.where(labels[high] == 0, 5 / 3, 5 / 2)
    right = logits[high].argmax(axis=1) == labels[high]
    expected = np.average(right, weights=weights)
    assert scores[f"{DEFINITION}@low-q0/accuracy"] == pytest.approx(expected)

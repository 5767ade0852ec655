"""The hierarchical bootstrap of stored predictions: what it is given, and what it refuses."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from omnibench.stats.bootstrap import hierarchical_counts, hierarchical_means
from omnibench.stats.cases import Stored
from omnibench.stats.compare import compare_pairs
from omnibench.stats.details import on_new_runs
from omnibench.stats.rates import SINGLE_LABEL
from omnibench.stats.result import Answer, RefusedError
from tests.stats.conftest import Records

LABELS = np.arange(90) % 3


@pytest.fixture
def two(records: Records, make_logits: Callable[..., Any]) -> dict[str, NDArray[Any]]:
    """Two fine-tuned models with predictions; their logits."""
    logits = {
        name: make_logits(seed, LABELS, 3, 3, signal) for seed, (name, signal) in
        enumerate({"a": 2.0, "b": 1.0}.items())
    }  # fmt: skip
    for name, of_model in logits.items():
        records.add(name, of_model, LABELS, varies="training seed", test_group=np.arange(90) // 2)
    return logits


def answers(records: Records, predictions: Callable[..., Any] | None = None) -> dict[str, Any]:
    rows = compare_pairs(records.values, records.predictions, [("a", "b")])
    actual = on_new_runs(records.values, rows, predictions or records.predictions)
    return {row.metric: answer for row, answer in zip(rows, actual, strict=True)}


def test_metrics_of_decisions_are_resampled_by_patient_and_repetition(
    records: Records, two: dict[str, NDArray[Any]]
) -> None:
    actual = answers(records)
    hot = np.eye(3, dtype=bool)
    a, b = (hot[two[name].argmax(axis=2)] for name in "ab")
    expected = hierarchical_counts(hot[LABELS], a, b, np.arange(90) // 2, SINGLE_LABEL, True)
    for metric in SINGLE_LABEL:
        assert actual[metric] == expected[metric], metric
    f1 = [
        np.mean([f1_score(LABELS, item.argmax(axis=1), average="macro") for item in two[name]])
        for name in "ab"
    ]
    assert actual["macro-f1"].difference == pytest.approx(f1[0] - f1[1])


def test_the_brier_score_is_a_mean_over_cases(
    records: Records, two: dict[str, NDArray[Any]]
) -> None:
    actual = answers(records)["brier"]
    errors = []
    for name in "ab":
        powers = np.exp(two[name].astype(np.float64))
        shares = powers / powers.sum(axis=2, keepdims=True)
        errors.append(((shares - np.eye(3)[LABELS]) ** 2).sum(axis=2))
    a, b = errors
    expected: Any = hierarchical_means(a, b, np.arange(90) // 2, True)
    assert (actual.low, actual.high) == pytest.approx((expected.low, expected.high))


def test_what_has_no_such_test_says_so(records: Records, two: dict[str, NDArray[Any]]) -> None:
    actual = answers(records)
    assert str(actual["auc"]) == "it has no test over cases and repetitions"


def test_one_repetition_tells_nothing_about_a_new_run(
    records: Records, make_logits: Callable[..., Any]
) -> None:
    for seed, name in enumerate("ab"):
        records.add(name, make_logits(seed, LABELS, 1, 3), LABELS, varies="nothing")
    assert "from 1 and 1 repetitions" in str(answers(records)["accuracy"])


def test_seeds_of_their_own_are_not_paired(records: Records, two: dict[str, NDArray[Any]]) -> None:
    assert "seeds shared" in answers(records)["accuracy"].test
    for row in records.rows:
        row["pairing"] = f"{row['backbone']}{row['repetition']}"
    assert "unpaired" in answers(records)["accuracy"].test


def test_predictions_that_are_gone_or_of_another_number_are_refused(
    records: Records, two: dict[str, NDArray[Any]]
) -> None:
    actual = answers(records, {}.__getitem__)
    assert all(isinstance(value, RefusedError) for value in actual.values())
    assert "no test predictions of record" in str(actual["accuracy"])
    for row in records.rows:
        if row["backbone"] == "a":
            row["value"] += 0.01 * (1 + row["repetition"])
    assert "the stored predictions give a difference" in str(answers(records)["accuracy"])


def test_values_of_each_case_are_taken_by_repetition(records: Records) -> None:
    rng = np.random.default_rng(0)

    def stored(one: NDArray[Any]) -> Stored:
        return Stored({"test_case": np.arange(40)}, lambda d: {"dice": one})

    dice, left = {}, {}
    for name, mean in (("a", 0.8), ("b", 0.7)):
        dice[name] = rng.normal(mean, 0.1, size=(3, 1)) + rng.normal(0, 0.1, size=(3, 40))
        for k, one in enumerate(dice[name]):
            records.row(name, k, "dice", one.mean(), digest=f"{name}{k}")
            left[f"{name}{k}"] = stored(one)
    found = answers(records, left.__getitem__)["dice"]
    assert found == hierarchical_means(dice["a"], dice["b"], np.arange(40), True)


def test_answers_stand_in_the_order_of_the_rows(
    records: Records, make_logits: Callable[..., Any]
) -> None:
    for dataset in ("d", "e"):
        for seed, name in enumerate("abc"):
            logits = make_logits(seed, LABELS, 2, 3, 1 + seed)
            records.add(name, logits, LABELS, dataset, "training seed")
    rows = compare_pairs(records.values, records.predictions, [("a", "c"), ("b", "c")])
    random.Random(0).shuffle(rows)
    answers = on_new_runs(records.values, rows, records.predictions)
    assert any(isinstance(answer, Answer) for answer in answers)
    for row, answer in zip(rows, answers, strict=True):
        if isinstance(answer, Answer):
            assert answer.difference == pytest.approx(row.difference)

"""Confident learning against a plain loop over its equations, and on planted errors."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from omnibench.stats.confident import confident_labels, has_opinion, mean_probabilities


def by_loops(labels: list[int], probabilities: list[list[float]]) -> list[int]:
    classes = len(probabilities[0])
    thresholds = {}
    for c in range(classes):
        own = [p[c] for label, p in zip(labels, probabilities, strict=True) if label == c]
        if own:
            thresholds[c] = np.mean(own)
    answers = []
    for row in probabilities:
        sure = [c for c, threshold in thresholds.items() if row[c] >= threshold]
        answers.append(max(sure, key=lambda c: row[c]) if sure else -1)
    return answers


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 30))
def test_it_is_what_the_equations_say(seed: int, classes: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    probabilities = rng.dirichlet(np.ones(classes), count)
    expected = by_loops(labels.tolist(), probabilities.tolist())
    assert confident_labels(labels, probabilities).tolist() == expected


def test_flipped_labels_are_contradicted_and_few_others() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 600)
    logits: NDArray[np.float64] = rng.normal(size=(600, 3)) + 6 * np.eye(3)[truth]
    labels = truth.copy()
    flipped = rng.choice(600, 30, replace=False)
    labels[flipped] = (truth[flipped] + 1) % 3
    confident = confident_labels(labels, mean_probabilities([logits]))
    doubts = set(np.flatnonzero((confident >= 0) & (confident != labels)).tolist())
    assert len(doubts & set(flipped.tolist())) >= 28
    assert len(doubts - set(flipped.tolist())) <= 2
    assert (confident[sorted(doubts & set(flipped))] == truth[sorted(doubts & set(flipped))]).all()


def test_of_a_class_without_a_case_nobody_is_confident() -> None:
    probabilities = np.array([[0.1, 0.2, 0.7], [0.2, 0.1, 0.7]])
    assert confident_labels(np.array([0, 1]), probabilities).tolist() == [1, 0]


def test_a_model_that_says_one_class_has_no_opinion() -> None:
    labels = np.array([0] * 90 + [1] * 10)
    assert not has_opinion(labels, np.eye(2)[labels * 0])
    assert has_opinion(labels, np.eye(2)[labels])
    assert not has_opinion(labels[:90], np.eye(2)[labels[:90]])  # of one class


def test_guessing_passes_for_an_opinion_in_one_of_twenty() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), (200, 80, 40))
    passed = [has_opinion(labels, rng.random((320, 3))) for _ in range(2000)]
    assert 0.035 < np.mean(passed) < 0.065

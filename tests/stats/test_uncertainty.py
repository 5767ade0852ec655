"""Rules of uncertainty against scipy's formulas, and where probabilities are nearly 1."""

import numpy as np
import pytest
from scipy.special import logsumexp, softmax
from scipy.stats import entropy as shannon
from scipy.stats import rankdata

from omnibench.stats import uncertainty
from omnibench.stats.uncertainty import RULES


def test_rules_rank_as_their_formulas() -> None:
    logits = np.random.default_rng(0).normal(size=(200, 5)) * 2
    shares = softmax(logits, axis=1)
    first, second = np.sort(shares, axis=1)[:, ::-1][:, :2].T
    expected = {
        "msp": 1 - first,
        "entropy": shannon(shares, axis=1),
        "margin": 1 - (first - second),
        "energy": -logsumexp(logits, axis=1),
    }
    for name, rule in RULES.items():
        assert np.array_equal(rankdata(rule(logits)), rankdata(expected[name])), name
    assert np.allclose(uncertainty.entropy(logits), expected["entropy"])
    assert np.allclose(uncertainty.margin(logits), expected["margin"])
    assert np.allclose(uncertainty.energy(logits), expected["energy"])


def test_two_classes_have_one_order_but_for_energy() -> None:
    logits = np.random.default_rng(1).normal(size=(100, 2))
    orders = {name: rankdata(rule(logits)).tolist() for name, rule in RULES.items()}
    assert orders["msp"] == orders["entropy"] == orders["margin"] != orders["energy"]
    expected = rankdata(-np.abs(logits[:, 1] - logits[:, 0])).tolist()
    assert orders["msp"] == expected


@pytest.mark.parametrize("name", ["msp", "entropy", "margin"])
def test_certain_cases_stay_apart_where_their_probability_is_1(name: str) -> None:
    logits = np.zeros((3, 3), np.float32)
    logits[:, 1] = (60, 80, 100)
    assert (softmax(logits.astype(np.float64), axis=1).max(axis=1) == 1).all()
    assert (np.diff(RULES[name](logits)) < 0).all()


def test_log_probabilities_have_no_energy() -> None:
    logits = np.random.default_rng(2).normal(size=(50, 3))
    shares = (logits - logsumexp(logits, axis=1, keepdims=True)).astype(np.float32)
    assert not uncertainty.energy(shares).any()
    assert uncertainty.energy(logits).std() > 0.1


def test_vacuity_is_1_without_evidence_and_falls_with_it() -> None:
    evidence = np.array([[0, 0, 0], [3, 0, 0], [30, 3, 0]])
    assert uncertainty.vacuity(evidence) == pytest.approx([1, 0.5, 3 / 36])


def test_mutual_information_is_entropy_of_the_mean_less_mean_entropy() -> None:
    logits = np.random.default_rng(3).normal(size=(4, 30, 3))
    shares = softmax(logits, axis=2)
    expected = shannon(shares.mean(axis=0), axis=1) - shannon(shares, axis=2).mean(axis=0)
    assert np.allclose(uncertainty.mutual_information(logits), expected)
    assert np.allclose(softmax(uncertainty.ensemble(logits), axis=1), shares.mean(axis=0))
    assert np.allclose(uncertainty.mutual_information(logits[:1]), 0)

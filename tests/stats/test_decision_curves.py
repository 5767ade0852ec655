"""Net benefit, against closed forms and brute force."""

import numpy as np
import pytest

from omnibench.stats.decision_curves import net_benefit, thresholds, treat_all
from tests.stats.calibrated import patients_of


def test_a_model_that_always_acts_is_treat_all_and_one_that_never_acts_is_0() -> None:
    at = thresholds(0.05, 0.5)
    positive = np.arange(50) % 5 == 0
    patients = patients_of(np.arange(50))
    assert np.allclose(
        net_benefit(np.ones((1, 50)), positive, patients, at).benefit, treat_all(0.2, at)
    )
    assert np.allclose(net_benefit(np.zeros((1, 50)), positive, patients, at).benefit, 0)
    assert np.allclose(treat_all(0.2, np.array([0.2])), 0)  # at the prevalence, it is worth nothing
    perfect = net_benefit(positive[None].astype(float), positive, patients, at)
    assert np.allclose(perfect.benefit, 0.2)


def test_net_benefit_and_its_band_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    probabilities, cluster = rng.random((3, 60)), np.arange(60) // 4
    positive, at = rng.random(60) < probabilities.mean(axis=0), np.array([0.1, 0.35])

    def brute(some: np.ndarray, t: float) -> float:
        values = []
        for p in probabilities[:, some]:
            acted = p >= t
            true, false = (acted & positive[some]).sum(), (acted & ~positive[some]).sum()
            values.append((true - false * t / (1 - t)) / some.sum())
        return float(np.mean(values))

    curve = net_benefit(probabilities, positive, patients_of(cluster), at)
    for k, t in enumerate(at.tolist()):
        without = np.array([brute(cluster != g, t) for g in range(15)])
        error = np.sqrt(14 / 15 * ((without - without.mean()) ** 2).sum())
        assert curve.benefit[k] == pytest.approx(brute(np.ones(60, bool), t))
        assert curve.high[k] - curve.benefit[k] == pytest.approx(
            2.1447867 * error, rel=1e-6
        )  # t(14)
        assert curve.benefit[k] - curve.low[k] == pytest.approx(2.1447867 * error, rel=1e-6)


def test_a_stored_vote_reaches_the_threshold_that_it_equals() -> None:
    votes = np.log(np.array([[0.8, 0.2]], np.float32)).repeat(4, axis=0)
    shares = np.exp(votes[:, 1].astype(np.float64))[None]
    curve = net_benefit(shares, np.ones(4, bool), patients_of(np.arange(4)), np.array([0.2]))
    assert curve.benefit[0] == 1

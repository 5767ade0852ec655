"""The simulations behind the statistics: their worlds, their counts and what they print."""

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import stats

from benchmarks import deciding
from benchmarks.simulations import Rate, below, simulate, table
from benchmarks.simulations.columns import Column, Family
from benchmarks.simulations.pairs import METRICS, TESTS, Pair, lead_for_welch
from benchmarks.simulations.variances import errors, families, moderate
from benchmarks.simulations.worlds import MEAN, Classifiers, Means, World, influence


def coin(rng: np.random.Generator) -> Mapping[str, float]:
    return {"heads": float(rng.random() < 0.3)}


def test_a_rate_has_the_error_of_a_binomial_share() -> None:
    rate = Rate.from_outcomes(np.array([1.0] * 30 + [0.0] * 70 + [math.nan] * 9))
    assert (rate.share, rate.error) == pytest.approx((0.3, math.sqrt(0.3 * 0.7 / 100)))
    assert str(rate) == ".300 ± .046"
    assert str(Rate.from_outcomes(np.array([math.nan]))) == "-"
    assert below(np.array([0.01, 0.05, math.nan])).share == 0.5


def test_studies_are_the_same_whoever_shares_the_work() -> None:
    with ThreadPoolExecutor(1) as alone, ThreadPoolExecutor(3) as several:
        first = simulate(coin, 230, 5, alone)()["heads"]
        again = simulate(coin, 230, 5, several)()["heads"]
        other = simulate(coin, 230, 6, alone)()["heads"]
    assert len(first) == 230
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.mean() == pytest.approx(0.3, abs=4 * math.sqrt(0.21 / 230))


def test_tables_are_markdown() -> None:
    assert table(("a", "b"), [(1, "x")]) == "| a | b |\n| ---: | ---: |\n| 1 | x |\n"


@pytest.mark.parametrize(
    ("world", "metric"), [(Classifiers(60), "accuracy"), (Classifiers(60, 6), "auc"),
                          (Classifiers(80, 4, labels="of the image"), "macro-f1"),
                          (Means(60), MEAN)],
)  # fmt: skip
def test_only_a_lead_makes_a_model_better(world: World, metric: str) -> None:
    rng = np.random.default_rng(0)
    drawn = [world.draw(rng, 2, (1.0, 0.0, 0.0)) for _ in range(200)]
    means = np.array(
        [[influence(cases, metric).summary.mean for cases in study] for study in drawn]
    )
    assert stats.ttest_rel(means[:, 0], means[:, 1]).pvalue < 1e-6
    assert stats.ttest_rel(means[:, 2], means[:, 1]).pvalue > 0.01


def test_means_vary_as_their_standard_deviations_say() -> None:
    rng = np.random.default_rng(1)
    drawn = [Means(156).draw(rng, 2, (0.0, 0.0)) for _ in range(1500)]
    values = np.array([[influence(cases, MEAN).values for cases in study] for study in drawn])
    within = values.var(axis=2, ddof=1).mean()
    assert within == pytest.approx(1 + 0.2**2, rel=0.08)  # an error of 2.6 %
    between = (values[:, 0].mean(axis=1) - values[:, 1].mean(axis=1)).var()
    assert between == pytest.approx(2 * 0.6**2 + within, rel=0.12)  # of 3.7 %


def test_a_study_of_two_models_asks_every_test() -> None:
    outcome = Pair(Classifiers(60, 6), 3, bootstraps=1.0)(np.random.default_rng(0))
    p = {name: value for name, value in outcome.items() if name.endswith(TESTS)}
    assert len(p) == len(METRICS) * len(TESTS)
    refused = {name for name, value in p.items() if math.isnan(value)}
    assert refused == {  # the bootstraps are of accuracy; the AUC's test over cases is DeLong's
        *("auc: hierarchical bootstrap", "macro-f1: hierarchical bootstrap"),
        "macro-f1: over cases",
    }
    deterministic = Pair(Classifiers(60), 1, bootstraps=1.0)(np.random.default_rng(0))
    assert math.isnan(deterministic["accuracy: Welch t over runs"])
    assert 0 < deterministic["accuracy: decide"] <= 1


def test_the_lead_for_welch_is_that_of_the_noncentral_t() -> None:
    """Where cases play no part: 2.02 standard deviations at n = 5 (docs/statistics.md)."""
    with ThreadPoolExecutor(1) as pool:
        lead = lead_for_welch(Means(40, own=0.0, both=0.0), 5, MEAN, 0.8, 0, pool)
    assert lead == pytest.approx(2.02, abs=0.3)


def test_a_far_better_model_is_the_best_and_its_ranks_hold() -> None:
    outcome = Column(Means(40), 5, 3, 50.0)(np.random.default_rng(0))
    assert outcome == {
        "covered": True, "alone": True, "undecided": False, "ranks": 1,
        "old: covered": True, "old: alone": True, "old: undecided": False,
    }  # fmt: skip


def test_a_family_counts_what_every_test_claims() -> None:
    outcome = Family(Classifiers(60), 3, 2, "auc")(np.random.default_rng(0))
    assert len(outcome) == 6
    for test in ("decide", "paired t over runs", "Welch t over runs"):
        assert outcome[f"{test}: better"] <= outcome[f"{test}: different"]


def test_variances_without_a_spread_of_their_own_are_pooled() -> None:
    pooled, df = moderate(np.array([[1.0, 1.01, 0.99]]), 4)
    np.testing.assert_allclose(pooled, [[1.0, 1.0, 1.0]])
    assert df == [12]


def test_the_prior_of_variances_is_recovered() -> None:
    """Variances s0^2 d0 / chi2(d0) have the prior d0, s0^2: here 6 and 2."""
    rng = np.random.default_rng(2)
    true = 2.0 * 6 / rng.chisquare(6, size=(1, 20_000))
    seen = true * rng.chisquare(4, size=true.shape) / 4
    shrunk, df = moderate(seen, 4)
    assert df[0] - 4 == pytest.approx(6, rel=0.1)
    prior = (shrunk * df[0] - 4 * seen) / (df[0] - 4)
    np.testing.assert_allclose(prior, 2.0, rtol=0.1)


def test_moderation_errs_with_a_noisy_baseline_and_welchs_test_does_not() -> None:
    sd = dict(families())["10 models, a noisy baseline"]
    moderated, separate = errors(sd, 3, 4000, np.random.default_rng(3))
    assert moderated[0].share > 0.15
    assert separate[0].share < 0.06


def test_a_section_prints_a_row_for_each_family_and_number_of_runs() -> None:
    with ThreadPoolExecutor(1) as pool:
        text = deciding.moderation(2, 0, pool)
    assert text.count("\n") == 2 + 3 * len(list(families()))

"""Times to a target against statsmodels, scipy and closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight

from omnibench.stats.convergence import (
    Reached,
    area,
    median_time,
    running_best,
    speed_up,
    survival,
    time_to,
)
from omnibench.stats.result import RefusedError

NAN = math.nan
Times = list[tuple[int, bool]]


def reached(*amounts: float) -> list[Reached]:
    """Times; a negative one is censored."""
    return [Reached(abs(amount), amount > 0) for amount in amounts]


@pytest.mark.parametrize(
    ("values", "falling", "best"),
    [
        ([0.5, 0.7, 0.6, 0.9], False, [0.5, 0.7, 0.7, 0.9]),
        ([0.5, 0.7, 0.3, 0.9], True, [0.5, 0.5, 0.3, 0.3]),
        ([NAN, 0.7, NAN, 0.8], False, [NAN, 0.7, 0.7, 0.8]),
        ([NAN, NAN], False, [NAN, NAN]),
    ],
)
def test_a_running_best_goes_over_what_is_unknown(
    values: list[float], falling: bool, best: list[float]
) -> None:
    np.testing.assert_array_equal(running_best(np.array(values), falling), best)


@pytest.mark.parametrize(
    ("best", "falling", "time"),
    [
        ([0.8, 0.8, 0.9], False, Reached(1, True)),  # at once
        ([0.2, 0.79, 0.8], False, Reached(4, True)),  # in the end
        ([0.2, 0.3, 0.3], False, Reached(4, False)),  # a plateau below
        ([NAN, 0.8, 0.8], False, Reached(2, True)),
        ([NAN, NAN, NAN], False, Reached(4, False)),
        ([0.9, 0.8, 0.1], True, Reached(2, True)),
        ([0.9, 0.81, 0.81], True, Reached(4, False)),
    ],
)
def test_a_target_is_reached_at_the_first_evaluation_that_is_there(
    best: list[float], falling: bool, time: Reached
) -> None:
    assert time_to(0.8, np.array(best), np.array([1.0, 2.0, 4.0]), falling) == time


def test_the_area_of_a_constant_is_the_constant_wherever_it_was_evaluated() -> None:
    for epochs in ([1, 2, 5], [0.01, 0.5, 5], [5]):
        assert area(np.full(len(epochs), 0.7), np.array(epochs, float)) == pytest.approx(0.7)


def test_the_area_of_a_line_is_its_mean() -> None:
    """b(e) = e from 1 to 4, and 1 before: (1 + (16 - 1) / 2) / 4."""
    epochs = np.array([1.0, 1.5, 3.0, 4.0])
    assert area(epochs, epochs) == pytest.approx(8.5 / 4)
    assert area(np.array([NAN, 2.0]), np.array([1.0, 2.0])) == 2
    assert math.isnan(area(np.array([NAN]), np.array([1.0])))


@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=12))
def test_survival_equals_statsmodels(drawn: Times) -> None:
    times = [Reached(float(amount), event) for amount, event in drawn]
    at, share = survival(times)
    if not any(event for _, event in drawn):
        assert len(at) == 0
        assert median_time(times) is None
        return
    reference = SurvfuncRight(*zip(*drawn, strict=True))
    events = reference.n_events > 0
    np.testing.assert_array_equal(at, np.asarray(reference.surv_times)[events])
    np.testing.assert_allclose(share, np.asarray(reference.surv_prob)[events], atol=1e-12)
    if np.abs(share - 0.5).min() > 1e-9:  # statsmodels takes the end of a curve that is a half
        expected = reference.quantile(0.5)
        assert median_time(times) == (None if np.isnan(expected) else expected)


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=9))
def test_without_censoring_the_median_is_the_ordinary_one(amounts: list[float]) -> None:
    assert median_time(reached(*amounts)) == pytest.approx(np.median(amounts))


@pytest.mark.parametrize(
    ("amounts", "median"),
    [
        ((1, -5), None),  # half of them at 1, the other half nobody knows when
        ((1, 2, -5), 2),
        ((1, -5, -5), None),
        ((-1, 2, 3), 2.5),  # one that was cut short before the others got there
        ((-1, -1), None),
    ],
)
def test_the_median_is_unknown_where_half_of_the_runs_never_get_there(
    amounts: tuple[float, ...], median: float | None
) -> None:
    assert median_time(reached(*amounts)) == median


def test_a_speed_up_is_a_geometric_mean_with_the_t_interval_of_its_logarithm() -> None:
    own, others = np.array([1.0, 2.0, 3.0, 2.5]), np.array([4.0, 5.0, 8.0, 20.0])
    actual = speed_up(reached(*own), reached(*others))
    assert actual.value == pytest.approx(stats.gmean(others / own))
    test = stats.ttest_rel(np.log(others), np.log(own)).confidence_interval()
    assert (actual.low, actual.high) == pytest.approx((math.exp(test.low), math.exp(test.high)))
    assert (actual.pairs, actual.bound) == (4, "")
    back = speed_up(reached(*others), reached(*own))
    assert (back.value, back.low) == pytest.approx((1 / actual.value, 1 / actual.high))


def test_a_speed_up_over_what_never_arrives_is_a_bound() -> None:
    actual = speed_up(reached(1, 2, 2), reached(4, 8, -10))
    assert actual.value == pytest.approx((4 * 4 * 5) ** (1 / 3))
    assert actual.bound == ">"
    assert math.isnan(actual.low)
    assert speed_up(reached(4, 8, -10), reached(1, 2, 2)).bound == "<"


@pytest.mark.parametrize(
    ("own", "others", "reason"),
    [
        ((), (), "no repetitions are paired"),
        ((1, 1, 1), (-5, -5, 2), "more than half"),
        ((1, -5, 1, 1), (-5, 1, 2, 2), "no bound"),
        ((1, -5), (2, -5), "no bound"),
    ],
)
def test_a_speed_up_that_nobody_can_know_is_refused(
    own: tuple[float, ...], others: tuple[float, ...], reason: str
) -> None:
    with pytest.raises(RefusedError, match=reason):
        speed_up(reached(*own), reached(*others))


@pytest.mark.parametrize(("own", "others"), [((1,), (3,)), ((1, 2), (3, 6))])
def test_one_pair_and_pairs_that_agree_have_no_interval(
    own: tuple[float, ...], others: tuple[float, ...]
) -> None:
    actual = speed_up(reached(*own), reached(*others))
    assert actual.value == pytest.approx(3)
    assert math.isnan(actual.low)
    assert math.isnan(actual.high)


def test_intervals_of_a_speed_up_cover_it() -> None:
    """Log-normal times, five pairs, a common effect of the repetition: 95 % +- .7 (2,000 studies).

    Monte-Carlo error of the coverage: .5 %.
    """
    rng = np.random.default_rng(0)
    common = rng.normal(size=(2000, 5))
    own = np.exp(common + 0.3 * rng.normal(size=(2000, 5)))
    others = 2.5 * np.exp(common + 0.3 * rng.normal(size=(2000, 5)))
    covered = 0
    for a, b in zip(own, others, strict=True):
        actual = speed_up(reached(*a), reached(*b))
        covered += actual.low < 2.5 < actual.high
    assert 0.93 <= covered / 2000 <= 0.97

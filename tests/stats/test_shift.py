"""Means, ratios and contrasts of metrics against other test images, by hand and by bootstrap."""

import math

import numpy as np
import pytest

from omnibench.stats.influence import Influence
from omnibench.stats.result import Answer, Floats, RefusedError
from omnibench.stats.shift import (
    Grid,
    Measured,
    contrast,
    interaction,
    mean_of,
    measured,
    ratio,
    ratio_to,
    scaled,
    worst,
)

PATIENTS = 400


def of_cases(values: Floats) -> Influence:
    """Return the mean over cases of [R, G], each case a patient."""
    means = values.mean(axis=1)
    return Influence(means, (values - means[:, None]) / (values.shape[1] - 1), values.shape[1])


def hits(rate: float, seed: int, repetitions: int = 1) -> Floats:
    shared = np.random.default_rng(0).normal(size=PATIENTS)
    own = np.random.default_rng(seed).normal(size=(repetitions, PATIENTS))
    place = float(np.quantile((shared + own).ravel(), 1 - rate))
    return (shared + own > place).astype(np.float64)


def half_width(number: Measured) -> float:
    assert isinstance(number.interval, Answer)
    return (number.interval.high - number.interval.low) / 2


def test_the_mean_over_severities_has_the_interval_of_each_cases_mean() -> None:
    severities = [hits(rate, seed) for seed, rate in enumerate((0.9, 0.7, 0.5))]
    by_case = measured(of_cases(np.mean(severities, axis=0)))
    joined = measured(mean_of([of_cases(values) for values in severities]))
    assert joined.value == pytest.approx(by_case.value)
    assert half_width(joined) == pytest.approx(half_width(by_case))


def test_a_relative_drop_has_the_interval_of_a_bootstrap_over_patients() -> None:
    clean, corrupted, chance = hits(0.9, 1), hits(0.65, 2), 0.5
    a, b = of_cases(clean), of_cases(corrupted)
    drop = measured(ratio(a.minus(b), scaled(a, 1.0, -chance)))
    assert drop.value == pytest.approx((clean.mean() - corrupted.mean()) / (clean.mean() - chance))
    rng = np.random.default_rng(3)
    drawn = rng.integers(0, PATIENTS, (4000, PATIENTS))
    of_draws = (clean[0][drawn].mean(1) - corrupted[0][drawn].mean(1)) / (
        clean[0][drawn].mean(1) - chance
    )
    low, high = np.quantile(of_draws, [0.025, 0.975])
    assert half_width(drop) == pytest.approx((high - low) / 2, rel=0.1)


def test_a_ratio_to_another_model_has_the_interval_of_a_bootstrap_over_patients() -> None:
    own = [1 - hits(rate, seed) for seed, rate in enumerate((0.8, 0.7))]
    other = [1 - hits(rate, seed) for seed, rate in ((7, 0.6), (8, 0.55))]
    number = ratio_to([of_cases(v) for v in own], [of_cases(v) for v in other])
    expected = np.mean([a.mean() / b.mean() for a, b in zip(own, other, strict=True)])
    assert number.value == pytest.approx(expected)
    drawn = np.random.default_rng(3).integers(0, PATIENTS, (4000, PATIENTS))
    of_draws = np.mean(
        [a[0][drawn].mean(1) / b[0][drawn].mean(1) for a, b in zip(own, other, strict=True)], axis=0
    )
    low, high = np.quantile(of_draws, [0.025, 0.975])
    assert half_width(number) == pytest.approx((high - low) / 2, rel=0.1)


def test_a_model_is_worth_one_of_itself() -> None:
    errors = of_cases(1 - hits(0.8, 1, 3))
    number = ratio_to([errors], [errors])
    assert number.value == pytest.approx(1)
    assert half_width(number) == 0


def test_runs_widen_an_interval() -> None:
    steady = np.repeat(hits(0.7, 1), 3, axis=0)
    apart = np.stack([hits(rate, 1)[0] for rate in (0.5, 0.7, 0.9)])
    assert half_width(measured(of_cases(apart))) > 2 * half_width(measured(of_cases(steady)))


def test_what_is_not_above_zero_is_not_divided_by() -> None:
    nothing = scaled(of_cases(hits(0.5, 1)), 1.0, -0.5)
    with pytest.raises(RefusedError, match="not above 0"):
        ratio(of_cases(hits(0.5, 1)), nothing)
    with pytest.raises(RefusedError, match="not above 0"):
        ratio_to([nothing], [nothing])


def test_the_worst_is_the_lowest_of_what_rises_and_the_highest_of_what_falls() -> None:
    metrics = {name: of_cases(hits(rate, 1)) for name, rate in (("a", 0.6), ("b", 0.4))}
    assert worst(metrics, falling=False) == "b"
    assert worst(metrics, falling=True) == "a"


def grid(best: float, seed: int = 0) -> Grid:
    """Return a grid that falls with the distance of a cell from the diagonal."""
    shares = (0.0, 0.5, 1.0)
    return Grid(
        {
            (train, test): of_cases(hits(best - 0.3 * abs(train - test), seed + round(10 * train)))
            for train in shares
            for test in shares
        }
    )


def test_matched_less_mismatched_is_the_mean_of_the_diagonal_less_that_of_the_rest() -> None:
    made = grid(0.8)
    table = np.array([[made.cells[i, j].values.mean() for j in made.test] for i in made.train])
    answer = made.matched()
    assert answer is not None
    same, other, difference = (float(part.values.mean()) for part in answer)
    assert same == pytest.approx(np.diag(table).mean())
    assert other == pytest.approx(table[~np.eye(3, dtype=bool)].mean())
    assert difference == pytest.approx(same - other)
    assert difference > 0.15


def test_the_best_share_in_training_is_the_matched_one() -> None:
    made = grid(0.8)
    assert [made.best(test, falling=False) for test in made.test] == [0.0, 0.5, 1.0]
    assert made.best(0.0, falling=True) == 1.0


def test_a_grid_without_shares_in_common_has_nothing_matched() -> None:
    made = grid(0.8)
    some = {place: cell for place, cell in made.cells.items() if place[0] == 0 and place[1] > 0}
    assert Grid(some).matched() is None
    assert Grid(some).best(1.0, falling=False) is None


def test_the_interaction_is_the_difference_of_differences() -> None:
    a, b = grid(0.9), grid(0.7, seed=50)
    first, second, between = interaction(a, b, 0.5, 0.0, 1.0)
    assert between.value == pytest.approx(first.value - second.value)
    assert first.value == pytest.approx(
        a.cells[0.0, 0.5].values.mean() - b.cells[0.0, 0.5].values.mean()
    )
    by_case = [
        g.cells[0.0, 0.5].rows - g.cells[1.0, 0.5].rows for g in (a, b)
    ]  # of one run each: the interval is over patients alone
    moved = (by_case[0] - by_case[1])[0]
    error = math.sqrt((moved**2).sum() * PATIENTS / (PATIENTS - 1))
    assert half_width(between) == pytest.approx(1.96 * error, rel=0.02)
    assert half_width(contrast(a.cells[0.0, 0.5], b.cells[0.0, 0.5])) == half_width(first)

"""Looks at a comparison while repetitions are added: one level, whatever makes one stop."""

import numpy as np
import pytest
from scipy import stats

from omnibench.stats.monitoring import (
    LOOKS,
    Course,
    chance_of_an_answer,
    planned_looks,
    sequential_p,
)


def test_looks_are_few_and_even() -> None:
    assert planned_looks(3, 10) == (3, 5, 6, 8, 10)
    assert planned_looks(3, 3) == (3,)
    assert planned_looks(2, 4) == (2, 3, 4)
    assert len(planned_looks(3, 100)) == LOOKS


@pytest.mark.parametrize("fixed", [0.0, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("p", [0.05, 0.01])
def test_p_is_the_chance_of_the_smallest_of_all_looks(fixed: float, p: float) -> None:
    """Against 200,000 Brownian motions; the error of a rate of .1 is .0007."""
    course = Course(fixed, 1.0, planned_looks(3, 10))
    t = course.information
    rng = np.random.default_rng(0)
    motion = np.cumsum(rng.normal(size=(200_000, len(t))) * np.sqrt(np.diff(t, prepend=0)), axis=1)
    smallest = 2 * stats.norm.sf(np.abs(motion / np.sqrt(t)).max(axis=1))
    assert sequential_p(p, course) == pytest.approx(np.mean(smallest <= p), abs=0.003)


def test_pococks_constants_are_met() -> None:
    """Jennison & Turnbull 2000, table 2.1: 2.178, 2.289, 2.361, 2.413 for 2 to 5 equal looks."""
    for count, constant in ((2, 2.178), (3, 2.289), (4, 2.361), (5, 2.413)):
        course = Course(0.0, 1.0, tuple(range(1, count + 1)))  # information 1/K, 2/K, ... 1
        assert sequential_p(2 * stats.norm.sf(constant), course) == pytest.approx(0.05, abs=2e-4)


def test_a_single_look_and_no_difference_stay_as_they_are() -> None:
    assert sequential_p(0.03, Course(1, 1, (5,))) == 0.03
    assert sequential_p(1.0, Course(1, 1, (3, 5))) == 1.0
    still = Course(1.0, 1e-12, (3, 5, 10))  # more runs change nothing, so looks cost nothing
    assert sequential_p(0.03, still) == pytest.approx(0.03, rel=0.01)
    assert 0 < sequential_p(1e-300, Course(0, 1, (3, 5))) <= 2e-300
    p = [sequential_p(x, Course(0.2, 1, (3, 5, 8))) for x in np.logspace(-8, -1, 30)]
    assert p == sorted(p)


def test_the_chance_of_an_answer_is_that_of_the_last_look() -> None:
    """Against draws of the last look's difference given the one seen."""
    course = Course(0.5, 6.0, (3, 10))
    rng = np.random.default_rng(1)
    seen = 2.2
    later = seen + np.sqrt(course.variance(3) - course.variance(10)) * rng.normal(size=100_000)
    p = 2 * stats.norm.sf(np.abs(later) / np.sqrt(course.variance(10)))
    critical = next(x for x in np.linspace(0.05, 0.001, 500) if sequential_p(x, course) < 0.05)
    expected = np.mean(p < critical)
    assert chance_of_an_answer(seen, 3, course, 1, None) == pytest.approx(expected, abs=0.01)
    assert chance_of_an_answer(0.0, 3, Course(5, 0.01, (3, 10)), 1, None) < 0.01
    assert chance_of_an_answer(0.0, 3, Course(0.01, 0.01, (3, 10)), 1, 2.0) > 0.99


@pytest.mark.parametrize("cases", [0.0, 1.0])
def test_stopping_at_the_first_small_p_errs_in_at_most_five_percent(cases: float) -> None:
    """3,000 studies of equal models; variances are estimated at each look. Error of .05: .004."""
    looks = planned_looks(3, 10)
    rng = np.random.default_rng(2)
    rejected, naive, studies = 0, 0, 3000
    for _ in range(studies):
        runs = rng.normal(size=(2, looks[-1]))
        offset = cases * rng.normal()
        stopped = [False, False]
        for n in looks:
            a, b = runs[:, :n]
            falling = float(a.var(ddof=1) + b.var(ddof=1))
            variance = cases**2 + falling / n
            df = variance**2 / ((falling / n) ** 2 / (2 * n - 2))
            p = 2 * stats.t.sf(abs(a.mean() - b.mean() + offset) / np.sqrt(variance), df)
            if p < 0.05:  # the sequential p is never below it
                stopped[0] |= sequential_p(p, Course(cases**2, falling, looks)) < 0.05
                stopped[1] = True
        rejected, naive = rejected + stopped[0], naive + stopped[1]
    assert rejected / studies < 0.05 + 0.008
    assert naive / studies > 0.055

"""The smallest study, against trying every one and closed forms."""

import math

import pytest
from scipy import stats

from omnibench.stats.pilot import Pilot, Study
from omnibench.stats.sizes import MOST, NONE, Size, detectable, smallest

RUNS = Pilot(156, 0.0, 1.0, (4, 4), (1.0, 2.0), (0.0, 0.0))
PATIENTS = Pilot(156, 1.0, 400.0, (3, 3), (0.02, 0.02), (0.0, 0.0))


def detects(difference: float, study: Study) -> float:
    return study.power_to_detect(difference, 0.05)


@pytest.mark.parametrize("difference", [0.7, 1.5, 3.0, 40.0])
def test_it_is_the_first_number_of_repetitions_that_suffices(difference: float) -> None:
    size = smallest(RUNS, lambda study: detects(difference, study), frozen=False)
    first = next(n for n in range(2, MOST) if detects(difference, RUNS.study(n, 156)) >= 0.8)
    assert size == Size(first, 156)


def test_where_patients_are_too_few_it_is_their_number() -> None:
    """With the normal distribution's (1.96 + .84)^2 standard errors, and a little for the rest."""
    for frozen in (True, False):
        size = smallest(PATIENTS, lambda study: detects(1.0, study), frozen)
        assert size.repetitions == 3
        normal = 156 * (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) ** 2
        assert size.patients is not None
        assert normal < size.patients < 1.3 * normal
        assert size.patients % 10 == 0
        assert detects(1.0, PATIENTS.study(3, size.patients)) >= 0.8
        assert detects(1.0, PATIENTS.study(3, 0.99 * size.patients)) < 0.801


def test_frozen_probes_need_cases_where_more_head_seeds_would_do_as_well() -> None:
    size = smallest(PATIENTS, lambda study: detects(8.0, study), frozen=True)
    assert size.repetitions == 3
    assert size.patients is not None
    assert size.patients < 156
    assert smallest(PATIENTS, lambda study: detects(8.0, study), frozen=False).patients == 156


def test_where_neither_alone_will_do_it_is_more_of_both() -> None:
    both = Pilot(100, 1.0, 400.0, (3, 3), (4.0, 4.0), (0.0, 0.0))
    size = smallest(both, lambda study: detects(1.0, study), frozen=False)
    assert size.repetitions is not None
    assert size.patients is not None
    assert size.repetitions > 3
    assert size.patients > 100
    assert detects(1.0, both.study(size.repetitions, size.patients)) >= 0.8


def test_a_difference_far_below_the_spread_is_out_of_reach() -> None:
    assert smallest(RUNS, lambda study: detects(0.001, study), frozen=False) == NONE


@pytest.mark.parametrize("level", [0.05, 0.05 / 22])
@pytest.mark.parametrize("pilot", [RUNS, PATIENTS])
def test_the_detectable_difference_has_the_power(pilot: Pilot, level: float) -> None:
    difference = detectable(pilot, level)
    assert math.isfinite(difference)
    study = pilot.study(min(pilot.repetitions), 156)
    assert study.power_to_detect(difference, level) == pytest.approx(0.8, abs=1e-6)

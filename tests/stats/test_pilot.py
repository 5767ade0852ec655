"""The power of the deciding test: against statsmodels, the test itself and simulated studies."""

import math

import numpy as np
import pytest
from statsmodels.stats.power import TTestIndPower, TTestPower

from benchmarks.power import Drawn, World, decides, planned
from omnibench.stats import pilot as pilots
from omnibench.stats.deciding import contrasts
from omnibench.stats.pilot import Pilot
from omnibench.stats.sizes import Size

WORLD = World("both count", 60, 0.03, (0.01, 0.02), 0.06, 0.03)
KNOWN = 10**8  # repetitions and patients of a pilot that knows every variance


def known(world: World) -> Pilot:
    """Return a pilot that knows the variances of a world."""
    both = world.of_both**2 / KNOWN
    a, b = (run**2 + both for run in world.of_runs)
    of_patients = 2 * (world.of_patients**2 + world.of_both**2 / KNOWN) / KNOWN
    return Pilot(KNOWN, of_patients, 2 * KNOWN, (KNOWN, KNOWN), (a, b), (both, both))


def test_the_study_at_hand_has_the_error_that_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pilots, "variance_ratios", lambda df, dimension: np.ones(1))
    drawn = Drawn.from_world(np.random.default_rng(0), WORLD, Size(4, 60))
    a, b = drawn.summaries(0.01)
    tested = contrasts(a, [b])
    study = Pilot.from_summaries(a, b).study(4, 60)
    assert study.error == pytest.approx(tested.error)
    assert study.spread == pytest.approx(tested.error)
    assert study.df == pytest.approx(tested.df)


@pytest.mark.parametrize("level", [0.05, 0.05 / 22])
def test_where_only_runs_differ_it_is_statsmodels_unpaired_power(level: float) -> None:
    """With 40 repetitions, whose estimated degrees of freedom are nearly those of Student's."""
    runs = Pilot(KNOWN, 0.0, 1.0, (KNOWN, KNOWN), (1.0, 1.0), (0.0, 0.0))
    for effect in (0.3, 0.7, 1.0):
        power = runs.study(40, 100).power_to_detect(effect, level)
        assert power == pytest.approx(TTestIndPower().power(effect, 40, level), abs=0.005)


@pytest.mark.parametrize("level", [0.05, 0.05 / 22])
def test_where_only_patients_differ_it_is_statsmodels_paired_power(level: float) -> None:
    patients = Pilot(KNOWN, 1 / KNOWN, 2 * KNOWN, (1, 1), (0.0, 0.0), (0.0, 0.0))
    for count in (12, 60):
        for effect in (0.2, 0.4, 0.6):
            power = patients.study(1, count).power_to_detect(effect, level)
            assert power == pytest.approx(TTestPower().power(effect, count, level), abs=0.005)


@pytest.mark.parametrize(("n", "patients"), [(3, 60), (8, 25)])
def test_power_of_known_variances_by_simulated_studies(n: int, patients: int) -> None:
    """800 studies: a share of .8 has a Monte-Carlo error of .014."""
    rng = np.random.default_rng(n)
    study = known(WORLD).study(n, patients)
    powers = {
        "detect, 1 rival": study.power_to_detect(WORLD.margin, 0.05),
        "match": study.power_to_match(WORLD.margin),
    }
    draws = [Drawn.from_world(rng, WORLD, Size(n, patients)) for _ in range(800)]
    for question, power in powers.items():
        simulated = np.mean([decides(drawn, question) for drawn in draws])
        assert power == pytest.approx(simulated, abs=0.045)
        assert 0.1 < power < 0.95


def test_more_of_anything_is_more_power() -> None:
    drawn = Drawn.from_world(np.random.default_rng(1), WORLD, Size(4, 60))
    pilot = Pilot.from_summaries(*drawn.summaries(0.0))

    def power(n: int, patients: float) -> float:
        return pilot.study(n, patients).power_to_detect(WORLD.margin, 0.05)

    for powers in (
        [power(n, 60) for n in (2, 4, 8, 30, 200)],
        [power(6, patients) for patients in (10, 60, 500, math.inf)],
    ):
        assert powers == sorted(powers)
    assert power(6, 1e9) == pytest.approx(power(6, math.inf), abs=1e-3)


@pytest.mark.parametrize("question", ["detect, 1 rival", "detect, 22 rivals", "match"])
@pytest.mark.parametrize("n", [3, 5])
def test_a_planned_study_has_the_power_it_was_planned_for(n: int, question: str) -> None:
    """From 500 pilots: .80 with a Monte-Carlo error of .018. Planning by the SD has .61 to .74."""
    world = World("runs", 40, 0.005, (0.01, 0.01), 0.03, 0.015)
    rng = np.random.default_rng(n)
    outcomes = []
    for _ in range(500):
        pilot = Drawn.from_world(rng, world, Size(n, None))
        size = planned(Pilot.from_summaries(*pilot.summaries(0.0)), world, question)
        outcomes.append(decides(Drawn.from_world(rng, world, size), question))
    assert 0.77 - 0.036 < np.mean(outcomes) < 0.85 + 0.036

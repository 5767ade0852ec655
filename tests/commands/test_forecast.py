"""The time that is left, against runs whose every second is known."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from omnibench.cell import Unit
from omnibench.commands.forecast import Forecast
from omnibench.context import FEATURES, RECORDED, STARTING, WAITING
from omnibench.estimate import UnitCost
from tests.commands.simulated_runs import SimulatedRun, unit_of

COST = UnitCost(0.0, 10.0, 100, True, 0.0, None)


def units_of(*backbones: str, repetitions: int = 1) -> list[Unit]:
    return [unit_of("t", "d", backbone, "full", repetitions) for backbone in backbones]


def forecast_of(units: Sequence[Unit], *costs: UnitCost, slots: int = 1) -> Forecast:
    return Forecast(units, list(costs) or [COST] * len(units), slots)


@pytest.mark.parametrize(("overall", "spread", "wrong"), [(2.0, 0.0, 0.01), (1.0, 0.7, 0.02)])
def test_it_is_right_within_a_factor_of_two_from_a_fifth_of_the_run_on(
    overall: float, spread: float, wrong: float
) -> None:
    """Kinds that are not measured yet may be wrong by more, so that few figures may, too."""
    right = []
    for seed in range(60):
        run = SimulatedRun(seed, overall, spread)
        for share, really, left in run.forecasts():
            assert left is not None
            if share >= 0.2:
                near = abs(left - really) <= 0.02 * run.end  # where hardly anything is left
                right.append(really / 2 <= left <= really * 2 or near)
    assert right.count(False) <= wrong * len(right)


def test_before_anything_is_measured_it_is_the_plan_over_the_slots() -> None:
    units = units_of("a", "b", "c", "d")
    assert forecast_of(units).left(5.0) == pytest.approx(40.0)
    assert forecast_of(units, slots=2).left(5.0) == pytest.approx(20.0)
    assert forecast_of(units[:3], slots=2).left(5.0) == pytest.approx(20.0)


def test_what_waits_for_its_maker_starts_after_it() -> None:
    maker, second, third = units_of("a", "b", "c")
    units = [maker, replace(second, after=(maker,)), third]
    assert forecast_of(units, slots=2).left(0.0) == pytest.approx(20.0)
    assert forecast_of(units, slots=3).left(0.0) == pytest.approx(20.0)


def test_a_unit_in_hand_is_corrected_by_its_own_rate() -> None:
    (unit,) = units_of("a", repetitions=2)
    forecast = forecast_of([unit])
    forecast.stage(unit.name, STARTING, 0, 0, 0.0)
    forecast.stage(unit.name, "training", 1, 100, 10.0)
    forecast.stage(unit.name, "training", 51, 100, 60.0)  # 1 s a hundredth of a repetition
    assert forecast.left(60.0) == pytest.approx(149.0, rel=0.35)  # shrunk towards the plan's 10 s
    forecast.stage(unit.name, RECORDED, 1, 2, 109.0)
    forecast.stage(unit.name, "training", 50, 100, 160.0)
    assert forecast.left(160.0) == pytest.approx(50.0, rel=0.15)


def test_images_that_are_through_count_over_all_splits() -> None:
    (unit,) = units_of("a")
    forecast = forecast_of([unit], replace(COST, features=100.0, repetitions=0.5))
    for stage, done, total, now in (
        (STARTING, 0, 0, 0.0),
        (f"{FEATURES} train", 10, 80, 10.0),
        (f"{FEATURES} train", 80, 80, 80.0),
        (f"{FEATURES} test", 10, 20, 90.0),
    ):
        forecast.stage(unit.name, stage, done, total, now)
    assert forecast.left(90.0) == pytest.approx(10.5, rel=0.05)


def test_a_unit_that_failed_teaches_nothing_and_is_not_left() -> None:
    units = units_of("a", "b")
    forecast = forecast_of(units)
    forecast.stage(units[0].name, "preparing", 0, 0, 0.0)
    forecast.ended(units[0].name, True, 0.1, 0.1)
    assert forecast.left(0.1) == pytest.approx(10.0)


def test_a_unit_that_is_put_back_is_left_as_a_whole() -> None:
    (unit,) = units_of("a")
    forecast = forecast_of([unit])
    forecast.stage(unit.name, "training", 9, 10, 9.0)
    forecast.stage(unit.name, WAITING, 0, 0, 9.0)
    assert forecast.left(9.0) == pytest.approx(10.0)


def test_an_engine_that_tells_ends_alone_is_enough() -> None:
    units = units_of("a", "b")
    forecast = forecast_of(units)
    forecast.ended(units[0].name, False, 30.0, 40.0)
    assert forecast.left(40.0) == pytest.approx(30.0, rel=0.2)


def test_nothing_is_said_where_neither_plan_nor_measurement_tells() -> None:
    units = units_of("a", "b")
    unknown = replace(COST, known=False, repetitions=0.5)
    forecast = forecast_of(units, unknown, unknown)
    assert forecast.left(0.0) is None
    forecast.stage(units[0].name, "preparing", 0, 0, 0.0)
    assert forecast.left(50.0) is None
    forecast.stage(units[0].name, RECORDED, 1, 1, 60.0)
    forecast.ended(units[0].name, False, 60.0, 60.0)
    assert forecast.left(60.0) == pytest.approx(60.0, rel=0.02)


def test_silence_beyond_the_estimate_makes_it_longer() -> None:
    units = units_of("a", "b")
    forecast = forecast_of(units)
    forecast.stage(units[0].name, "preparing", 0, 0, 0.0)
    left = [forecast.left(float(now)) or 0.0 for now in (0, 5, 100, 1000)]
    assert left[0] == pytest.approx(20.0)
    assert left[1] == pytest.approx(15.0)
    assert left[1] < left[2] < left[3]
    assert left[3] > 1000

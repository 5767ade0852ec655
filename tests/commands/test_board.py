"""What each slot does is what its engine tells; nothing is credited to another unit."""

import pytest

from omnibench.cell import Unit
from omnibench.commands.board import Board
from omnibench.commands.forecast import Forecast
from omnibench.context import STARTING, WAITING
from omnibench.estimate import UnitCost
from omnibench.execute import Finished
from tests.commands.simulated_runs import unit_of

COST = UnitCost(0.0, 10.0, 100, True, 0.0, None)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def board_of(units: list[Unit], slots: int = 1, clock: Clock | None = None) -> Board:
    return Board(units, Forecast(units, [COST] * len(units), slots), slots, clock or Clock())


def units_of(*backbones: str) -> list[Unit]:
    return [unit_of("t", "d", backbone, "full", 3) for backbone in backbones]


def test_slots_are_credited_with_the_units_that_the_engine_starts() -> None:
    units = units_of("a", "b", "c")
    board = board_of(units, slots=2)
    for unit in (units[2], units[1]):  # the longest first, not in the suite's order
        board.stage(unit.name, STARTING, 0, 0)
    board.stage(units[1].name, "training", 5, 10)
    assert [(slot.unit, slot.words) for slot in board.busy()] == [
        ("t/d/c/full", STARTING),
        ("t/d/b/full", "training 5/10"),
    ]
    board.finished(Finished(units[2], {0: None, 1: None, 2: None}, 1.0))
    board.stage(units[0].name, STARTING, 0, 0)
    assert [slot.unit for slot in board.busy()] == ["t/d/a/full", "t/d/b/full"]
    assert board.count == "1/3 units"


def test_a_unit_that_is_put_back_frees_its_slot() -> None:
    units = units_of("a", "b")
    board = board_of(units)
    board.stage(units[0].name, STARTING, 0, 0)
    board.stage(units[0].name, WAITING, 0, 0)
    assert board.busy() == []
    board.stage(units[1].name, STARTING, 0, 0)
    board.stage(units[0].name, STARTING, 0, 0)  # of an engine with more slots than it was given
    assert len(board.busy()) == 2


def test_a_rate_is_of_its_stage_since_that_began() -> None:
    (unit,), clock = units_of("a"), Clock()
    board = board_of([unit], clock=clock)
    board.stage(unit.name, STARTING, 0, 0)
    clock.now = 60.0
    board.stage(unit.name, "images", 100, 1000)  # of a run before
    assert [slot.rate for slot in board.busy()] == [None]
    clock.now = 70.0
    board.stage(unit.name, "images", 400, 1000)
    clock.now = 100.0
    (slot,) = board.busy()
    assert slot.rate == pytest.approx(30.0)
    assert slot.words == "images 400/1000, 30/s"
    board.stage(unit.name, "epochs", 1, 10)
    assert [(slot.words, slot.began) for slot in board.busy()] == [("epochs 1/10", 0.0)]


def test_a_reason_is_given_in_full_once() -> None:
    first, second = units_of("a", "b")
    board = board_of([first, second])
    failed = Finished(first, {0: None, 1: "too large", 2: "too large"}, 1.0)
    assert list(board.reasons(failed)) == ["failed: t/d/a/full (2 of 3 cells): too large"]
    failed = Finished(second, {0: "too large", 1: "no image", 2: None}, 1.0)
    assert list(board.reasons(failed)) == [
        "failed: t/d/b/full (1 of 3 cells), for the reason that t/d/a/full did",
        "failed: t/d/b/full (1 of 3 cells): no image",
    ]


def test_the_time_left_is_the_plans_and_ends_with_the_run() -> None:
    (unit,) = units_of("a")
    board = board_of([unit])
    assert board.left == "about 10 s left"
    board.finished(Finished(unit, {0: "no"}, 1.0))
    assert (board.left, board.count) == ("", "1/1 units, 1 failed")

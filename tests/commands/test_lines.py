"""Off a terminal: a line a unit, a heartbeat where none ends, none too long and none twice."""

import pytest

from omnibench.commands.lines import BEAT_SECONDS, Lines
from omnibench.context import STARTING
from omnibench.execute import Finished
from omnibench.terminal import WIDTH
from tests.commands.simulated_runs import unit_of
from tests.commands.test_board import Clock, board_of, units_of


def test_a_line_is_due_every_thirty_seconds_and_no_sooner(
    capsys: pytest.CaptureFixture[str],
) -> None:
    units, clock = units_of("a", "b"), Clock()
    lines = Lines(board_of(units, clock=clock))
    lines.stage(units[1].name, STARTING, 0, 0)
    for clock.now in range(0, 100, 5):
        lines.stage(units[1].name, "training", int(clock.now), 1000)
        lines.beat()
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("0:00:30: 0/2 units, about ")
    assert first.endswith("left; t/d/b/full: training 30/1000, 1/s, for 0:00:30")
    assert (second[:7], third[:7]) == ("0:01:00", "0:01:30")
    lines.finished(Finished(units[1], {0: None, 1: None, 2: None}, 95.04))
    clock.now += BEAT_SECONDS - 1
    lines.beat()
    (last,) = capsys.readouterr().out.splitlines()
    assert last.startswith("[1/2] t/d/b/full: 3 done in 95.0 s, about ")


def reason_of(unit: str) -> str:
    return unit[-50:] + " ".join(f"reason-{k} {unit[-1]}" for k in range(60))


def test_several_slots_have_a_line_each_and_none_is_too_long_or_printed_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    units = [unit_of("segmentation", "d" * 90, "b" * 90, "x" * 40 + f"{k}", 2) for k in range(3)]
    clock = Clock()
    lines = Lines(board_of(units, slots=3, clock=clock))
    for unit in units:
        lines.stage(unit.name, "a stage of \x1b[2J many " + "words " * 40, 1, 10**9)
    for clock.now in (30, 60, 90):
        lines.beat()
    for unit in units:
        lines.finished(Finished(unit, {0: None, 1: reason_of(unit.name)}, 1.0))
    captured = capsys.readouterr()
    printed = (captured.out + captured.err).splitlines()
    assert len(captured.out.splitlines()) == 3 * 4 + 3
    assert max(map(len, printed)) <= WIDTH
    assert len(set(printed)) == len(printed) and "\x1b" not in captured.out
    assert captured.err.count("reason-59") == 3  # all of each


def test_the_thread_ends_with_the_block() -> None:
    with Lines(board_of(units_of("a"))) as lines:
        thread = lines._thread
        assert thread.is_alive()
    assert not thread.is_alive()

"""Engines tell which unit does what; the numbers of a stage are its own unit's."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from omnibench.context import RECORDED, STARTING, WAITING, Context, unwatched
from omnibench.engines import local, serial, slot
from omnibench.engines.slot import _Stages

Stage = tuple[str, str, int, int]


@pytest.mark.parametrize("engine", [serial.run, local.run])
def test_each_unit_starts_prepares_and_records_its_repetitions(
    named: Callable[..., Any], context: Context, engine: Any
) -> None:
    stages: list[Stage] = []
    units = named("a", "b", "c")
    watched = replace(context, jobs=2, watch=lambda *stage: stages.append(stage))
    ended = [finished.unit.name for finished in engine(units, watched)]
    assert sorted(ended) == sorted(unit.name for unit in units)
    for unit in units:
        own = [stage for name, *stage in stages if name == unit.name]
        start, prepare, *recorded = own
        assert (start, prepare) == ([STARTING, 0, 0], ["preparing", 0, 0])
        # What follows at once may be left out on its way from a slot, but for the last.
        assert recorded[0] == [RECORDED, 1, 3] and recorded[-1] == [RECORDED, 3, 3]


def test_a_unit_whose_process_died_waits_and_starts_again(
    named: Callable[..., Any], context: Context
) -> None:
    stages: list[Stage] = []
    (unit,) = named("die-once")
    list(local.run([unit], replace(context, watch=lambda *stage: stages.append(stage))))
    names = [stage for _, stage, _, _ in stages if stage in (STARTING, WAITING)]
    assert names == [STARTING, WAITING, STARTING]


def test_a_context_that_is_sent_leaves_behind_what_shows_the_run(context: Context) -> None:
    watched = replace(context, watch=lambda *stage: None, unit="t/d/b/full")
    sent = pickle.loads(pickle.dumps(watched))
    assert sent == replace(watched, watch=unwatched)


def test_a_stage_is_sent_now_and_then_and_always_where_it_begins_and_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    sent: list[Any] = []
    stages = _Stages(sent.append)
    monkeypatch.setattr(slot, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    for done in range(1, 11):
        stages("u", "training", done, 10)
        clock[0] += 0.07
    stages("u", "testing", 1, 10)
    assert [(stage, done) for _, (_, stage, done, _) in sent] == [
        *[("training", done) for done in (1, 4, 7, 10)],
        ("testing", 1),
    ]

"""`plan` and `status`: what a suite asks for, what is there, what is absent."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omnibench.cell import Unit
from omnibench.commands.label_remarks import label_remarks
from omnibench.commands.plan_screen import lines
from omnibench.commands.stored_weights import weights_remark
from omnibench.engines.slurm_jobs import queued
from omnibench.estimate import estimate
from omnibench.leases import Leases
from omnibench.session import Places, Session
from omnibench.states import CellState, Filters, needs, progress, running
from omnibench.suite import Suite, SuiteSource
from omnibench.terminal import columns, echo, echo_json, hanging
from omnibench.unregistered import unregistered

if TYPE_CHECKING:
    from omnibench.data.survey import Survey


SHOWN = ("done", "failed", "missing", "blocked")  # states of cells
WATCH_SECONDS = 5.0


@dataclass(frozen=True)
class Planned:
    """What a suite asks for, and what its missing cells would cost.

    Attributes:
        states: of every cell that the filters leave.
        cost: as of `estimate`, of the units with a cell that is missing or blocked.
        surveys: what the images of each dataset were taken for.
        device: on which the cost is estimated.
        weights: which done cells kept none though the suite asks, in a sentence; "" for none.
    """

    suite: Suite
    units: tuple[Unit, ...]
    states: list[CellState]
    cost: Mapping[str, Any]
    surveys: "Mapping[str, Survey]"
    device: str
    weights: str

    @classmethod
    def from_suite(
        cls, source: SuiteSource, filters: Filters, session: Session, device: str
    ) -> "Planned":
        """Return what is planned of a suite; nothing is loaded.

        Raises:
            RequestError: the suite or a filter is wrong.
        """
        suite, units = session.suite(source, filters)
        states = progress(units, session.store)
        left = {s.cell.unit.name for s in states if s.state in ("missing", "blocked")}
        context = session.context(device)
        cost = estimate([unit for unit in units if unit.name in left], context)
        from omnibench.data.survey import surveys  # numpy, which `--help` does without

        seen = surveys(units, session.data)
        weights = weights_remark(states, session.store, str(source))
        return cls(suite, units, states, cost, seen, context.device, weights)

    @property
    def warnings(self) -> list[str]:
        """What is in doubt about the datasets."""
        return [
            f"data {name}: {text}"
            for name, survey in self.surveys.items()
            for text in survey.warnings
        ]

    @property
    def remarks(self) -> list[str]:
        """What label budgets ask for beyond what there is."""
        return label_remarks(self.units, self.surveys)

    def as_dict(self) -> dict[str, Any]:
        """Return the object of `plan --json`."""
        return {
            "suite": self.suite.name,
            "cells": [state.as_dict() for state in self.states],
            "units": len(self.units),
            "estimate": self.cost,
            "data": {name: dict(survey.facts) for name, survey in self.surveys.items()},
            "warnings": self.warnings,
            "remarks": [*self.remarks, *filter(None, [self.weights])],
        }


def plan(name: str, filters: Filters, places: Places, device: str, as_json: bool) -> None:
    """Print what is there of each unit, what is blocked and why, rough time and disk."""
    planned = Planned.from_suite(name, filters, Session.open(places), device)
    if as_json:
        echo_json(planned.as_dict())
        return
    for line in lines(planned, name):
        echo(line)


def status(name: str, filters: Filters, places: Places, as_json: bool) -> None:
    """Print how far a suite is."""
    session = Session.open(places)
    suite, units = session.suite(name, filters)
    states = progress(units, session.store)
    failures = [
        (state, state.record["error"])
        for state in states
        if state.state == "failed" and state.record is not None
    ]
    lost = unregistered(units, session.store)
    counts = _counts(states, session)
    if as_json:
        echo_json(
            {
                "suite": suite.name,
                **counts,
                "failures": [
                    {
                        "digest": state.cell.digest,
                        "kind": error["kind"],
                        "message": error["message"],
                    }
                    for state, error in failures
                ],
                "unregistered": [vars(records) for records in lost],
            }
        )
        return
    echo(f"{suite.name}: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))
    echo(columns(_by_task(states), ("task", *SHOWN)))
    for sentence in _at_work(units, session):
        echo(sentence)
    for state, error in failures:
        message = " ".join(error["message"].split())
        unit, repetition = state.cell.unit.name, state.cell.repetition
        echo(hanging(f"failed: {unit}, repetition {repetition}: {error['kind']}: {message}"))
    for need in needs(states):
        echo(f"blocked: {need}")
    for records in lost:
        echo(f"not registered: {records}")


def watch(name: str, filters: Filters, places: Places) -> None:
    """Print how far a suite is again and again, until nobody works on it."""
    while True:
        status(name, filters, places, as_json=False)
        session = Session.open(places)
        if not any(_at_work(session.suite(name, filters)[1], session)):
            return
        time.sleep(WATCH_SECONDS)
        echo()


def _by_task(states: Iterable[CellState]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each task: its name, and how many of its cells are in each state."""
    counts: dict[str, Counter[str]] = {}
    for state in states:
        counts.setdefault(state.cell.unit.task, Counter())[state.state] += 1
    for task, count in counts.items():
        yield (task, *(str(count[state]) for state in SHOWN))


def _at_work(units: Iterable[Unit], session: Session) -> Iterator[str]:
    """Yield which units are held by a live process, and by which since when, or by a job."""
    names = [unit.name for unit in units]
    leases = Leases(session.results)
    living = leases.living()
    yield from (f"running: {name}: {leases.holder(name)}" for name in names if name in living)
    jobs = queued(session.results)
    yield from (
        f"queued: {name}: job {jobs[name]}" for name in names if name in jobs and name not in living
    )


def _counts(states: Iterable[CellState], session: Session) -> dict[str, int]:
    """Return how many cells are done, failed, missing, running, queued and blocked."""
    counts = Counter(state.state for state in states)
    missing = [state.cell.unit for state in states if state.state == "missing"]
    active = running(missing, session.context("cpu"))
    submitted = queued(session.results).keys() - active if missing else set()
    running_cells = sum(unit.name in active for unit in missing)
    queued_cells = sum(unit.name in submitted for unit in missing)
    return {
        "done": counts["done"],
        "failed": counts["failed"],
        "missing": len(missing) - running_cells - queued_cells,
        "running": running_cells,
        "queued": queued_cells,
        "blocked": counts["blocked"],
    }

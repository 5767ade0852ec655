"""What a suite asks for and what is there: cells, their states and needs. No torch here."""

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from omnibench.catalogue import backbones
from omnibench.cell import Cell, Unit
from omnibench.context import Context
from omnibench.errors import RequestError
from omnibench.execute import only
from omnibench.index import Index
from omnibench.leases import Leases
from omnibench.record import NEWER
from omnibench.registry import did_you_mean
from omnibench.store import RecordStore
from omnibench.suite import Suite

State = Literal["done", "missing", "failed", "blocked"]
Records = Sequence[dict[str, Any] | None]  # of a unit's cells, in order
Look = Callable[[Unit], Records]


@dataclass(frozen=True)
class Filters:
    """Globs that narrow a suite; empty means all."""

    tasks: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    backbones: tuple[str, ...] = ()
    adaptations: tuple[str, ...] = ()
    repetitions: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Return them as they are given to a command; "" for none."""
        given = [(name, ",".join(map(str, values))) for name, values in vars(self).items()]
        return " ".join(f"--{name} {values}" for name, values in given if values)


@dataclass(frozen=True, slots=True)
class CellState:
    """A cell, what is there of it, and what it lacks to be computed.

    Attributes:
        record: whole as `states` gives it; as `progress` does, its digest, status, finished and
            error alone.
    """

    cell: Cell
    state: State
    needs: tuple[str, ...] = ()
    record: dict[str, Any] | None = field(repr=False, default=None)

    def as_dict(self) -> dict[str, Any]:
        """Return the entry of `plan --json`."""
        unit = self.cell.unit
        return {
            "task": unit.task,
            "dataset": unit.dataset.id,
            "backbone": unit.backbone.id,
            "adaptation": unit.short,
            "labels": unit.labels,
            "repetition": self.cell.repetition,
            "digest": self.cell.digest,
            "state": self.state,
            "needs": list(self.needs),
        }


def matching(names: Iterable[str], globs: Sequence[str]) -> list[str]:
    """Return the names that one of the globs selects."""
    return [name for name in names if any(fnmatch.fnmatchcase(name, glob) for glob in globs)]


def _adaptations(unit: Unit) -> tuple[str, ...]:
    """Return the names by which a glob selects a unit's adaptation, with its budget or without."""
    return unit.short, unit.short.partition("@")[0], unit.adaptation


def select(suite: Suite, filters: Filters) -> tuple[Unit, ...]:
    """Return the units that the filters leave, and before them what makes their backbones.

    Raises:
        RequestError: as of `narrowed`.
    """
    chosen = narrowed(suite, filters)
    there = {unit.name for unit in chosen}
    makers = {maker.name: maker for unit in chosen for maker in unit.after}
    return (*(maker for name, maker in makers.items() if name not in there), *chosen)


def narrowed(suite: Suite, filters: Filters) -> list[Unit]:
    """Return the units that the filters leave, with the repetitions they leave.

    Raises:
        RequestError: a glob matches nothing (with near matches), or no unit is left.
    """
    chosen: list[Unit] = list(suite.units)
    for option, globs, names in (
        ("--tasks", filters.tasks, lambda unit: (unit.task,)),
        ("--datasets", filters.datasets, lambda unit: (unit.dataset.id,)),
        ("--backbones", filters.backbones, lambda unit: (unit.backbone.id,)),
        ("--adaptations", filters.adaptations, _adaptations),
    ):
        known = {name for unit in suite.units for name in names(unit)}
        near = {*known, *backbones} if option == "--backbones" else known
        for glob in globs:
            if not matching(known, (glob,)):
                raise RequestError(
                    f"{option}: the suite '{suite.name}' has nothing like '{glob}'"
                    f"{did_you_mean(glob, near)}"
                )
        if globs:
            chosen = [unit for unit in chosen if matching(names(unit), globs)]
    if filters.repetitions:
        chosen = [
            only(unit, repetitions)
            for unit in chosen
            if (repetitions := tuple(k for k in unit.repetitions if k in filters.repetitions))
        ]
    if not chosen:
        raise RequestError(f"the filters leave no cell of the suite '{suite.name}'; loosen them")
    return chosen


def states(units: Iterable[Unit], store: RecordStore) -> list[CellState]:
    """Return the state of every cell: its record's, else missing, or blocked where it lacks things.

    Every record is read whole.
    """
    return _states(units, store, whole=True)


def progress(units: Iterable[Unit], store: RecordStore) -> list[CellState]:
    """Return the same without what cells have measured, so that few records need be read."""
    return _states(units, store, whole=False)


def _states(units: Iterable[Unit], store: RecordStore, whole: bool) -> list[CellState]:
    index = Index(store)
    look: Look = index.records if whole else index.summaries
    states: list[CellState] = []
    makers: dict[str, Records] = {}
    for unit in units:
        makers |= {maker.name: look(maker) for maker in unit.after if maker.name not in makers}
        lacking = _lacking(unit, makers)
        for cell, record in zip(unit.cells, look(unit), strict=True):
            state: State = "blocked" if lacking else "missing"
            needs = lacking
            if record is not None and record["status"] == NEWER:
                state, needs = "blocked", (*needs, record["error"]["message"])
            elif record is not None:
                state = "done" if record["status"] == "done" else "failed"
            states.append(CellState(cell, state, needs, record))
    index.save()
    return states


def _lacking(unit: Unit, makers: Mapping[str, Records]) -> tuple[str, ...]:
    """Return what a unit lacks; also what makes its backbone lacks, or that this has failed."""
    needs = list(unit.needs)
    for maker in unit.after:
        needs += maker.needs
        if any(record and record["status"] == "failed" for record in makers[maker.name]):
            needs.append(
                f"weights {unit.backbone.id}: their training failed; run again with --retry-failed"
            )
    return tuple(dict.fromkeys(needs))


def needs(states: Iterable[CellState]) -> list[str]:
    """Return what blocks cells, each thing once, in order."""
    blocked = (state for state in states if state.state == "blocked")
    return list(dict.fromkeys(need for state in blocked for need in state.needs))


def running(units: Iterable[Unit], context: Context) -> set[str]:
    """Return the names of the units that a live runner holds."""
    living = Leases(context.results).living()
    return {unit.name for unit in units if unit.name in living}

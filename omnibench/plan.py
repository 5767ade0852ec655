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
        """The entry in `plan --json`."""
        unit = self.cell.unit
        return {
            "task": unit.task,
            "dataset": unit.dataset.id,
            "backbone": unit.backbone.id,
            "adaptation": unit.short,
            "repetition": self.cell.repetition,
            "digest": self.cell.digest,
            "state": self.state,
            "needs": list(self.needs),
        }


def select(suite: Suite, filters: Filters) -> tuple[Unit, ...]:
    """The units that the filters leave, with the repetitions they leave.

    Raises:
        RequestError: a glob matches nothing (with near matches), or no unit is left.
    """
    chosen: list[Unit] = list(suite.units)
    for option, globs, names in (
        ("--tasks", filters.tasks, lambda unit: (unit.task,)),
        ("--datasets", filters.datasets, lambda unit: (unit.dataset.id,)),
        ("--backbones", filters.backbones, lambda unit: (unit.backbone.id,)),
        ("--adaptations", filters.adaptations, lambda unit: (unit.short, unit.adaptation)),
    ):
        known = {name for unit in suite.units for name in names(unit)}
        near = {*known, *backbones} if option == "--backbones" else known
        for glob in globs:
            if not any(fnmatch.fnmatchcase(name, glob) for name in known):
                raise RequestError(
                    f"{option}: the suite '{suite.name}' has nothing like '{glob}'"
                    f"{did_you_mean(glob, near)}"
                )
        if globs:
            chosen = [
                unit
                for unit in chosen
                if any(fnmatch.fnmatchcase(name, glob) for name in names(unit) for glob in globs)
            ]
    if filters.repetitions:
        narrowed = (
            (unit, tuple(k for k in unit.repetitions if k in filters.repetitions))
            for unit in chosen
        )
        chosen = [only(unit, repetitions) for unit, repetitions in narrowed if repetitions]
    if not chosen:
        raise RequestError(f"the filters leave no cell of the suite '{suite.name}'; loosen them")
    # What makes a backbone comes with those that need it, and before them.
    there = {unit.name for unit in chosen}
    makers = {maker.name: maker for unit in chosen for maker in unit.after}
    return (*(maker for name, maker in makers.items() if name not in there), *chosen)


def states(units: Iterable[Unit], store: RecordStore) -> list[CellState]:
    """The state of every cell: its record's, else missing, or blocked where something is absent."""
    units = list(units)
    progress(units, store)  # what an earlier version left is taken over first
    return _states(units, lambda unit: [store.look(cell) for cell in unit.cells])


def progress(units: Iterable[Unit], store: RecordStore) -> list[CellState]:
    """The same without what cells have measured, so that few records need be read."""
    index = Index(store)
    summaries = _states(units, index.summaries)
    index.save()
    return summaries


def _states(units: Iterable[Unit], look: Look) -> list[CellState]:
    cell_states = []
    makers: dict[str, Records] = {}
    for unit in units:
        makers |= {maker.name: look(maker) for maker in unit.after if maker.name not in makers}
        needs = _needs(unit, makers)
        for cell, record in zip(unit.cells, look(unit), strict=True):
            state: State = "blocked" if needs else "missing"
            lacks = needs
            if record is not None and record["status"] == NEWER:
                state, lacks = "blocked", (*needs, record["error"]["message"])
            elif record is not None:
                state = "done" if record["status"] == "done" else "failed"
            cell_states.append(CellState(cell, state, lacks, record))
    return cell_states


def _needs(unit: Unit, makers: Mapping[str, Records]) -> tuple[str, ...]:
    """What a unit lacks; also what makes its backbone lacks, or that this has failed."""
    needs = list(unit.needs)
    for maker in unit.after:
        needs += maker.needs
        if any(record and record["status"] == "failed" for record in makers[maker.name]):
            needs.append(
                f"weights {unit.backbone.id}: its pretraining failed; run again with --retry-failed"
            )
    return tuple(dict.fromkeys(needs))


def running(units: Iterable[Unit], context: Context) -> set[str]:
    """Names of the units that a live runner holds."""
    living = Leases(context.results).living()
    return {unit.name for unit in units if unit.name in living}

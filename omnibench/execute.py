"""One unit, from its cells to their records. Every engine calls this and nothing else."""

import datetime
import logging
import math
import time
import traceback
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from omnibench.builders import require_unchanged
from omnibench.catalogue import tasks
from omnibench.cell import Cell, Unit
from omnibench.context import RECORDED, Context
from omnibench.environment import describe, forget_peak_memory, peak_memory_mb
from omnibench.errors import LostLeaseError, NumericError, OmnibenchError, RequestError, StoreError
from omnibench.interrupts import finishing
from omnibench.label_budget import WHOLE
from omnibench.memory import is_out_of_memory
from omnibench.record import blank
from omnibench.sources import code_sources, drawn
from omnibench.store import RecordStore
from omnibench.task import Outcome

log = logging.getLogger("omnibench")
UNIT = ContextVar("unit", default="")  # name of the one in hand, which messages are about


@dataclass(frozen=True)
class Finished:
    """What became of a unit: the error message of each repetition, None where it is done.

    Attributes:
        lost: another runner took the unit over meanwhile; it is to be looked at again.
    """

    unit: Unit
    repetitions: dict[int, str | None]
    seconds: float
    lost: bool = False


def execute_unit(unit: Unit, context: Context) -> Finished:
    """Run a unit's repetitions and write a record for each as soon as it is known.

    An error becomes the failed record of every repetition that had no outcome yet. Nothing is
    written once the context's lease is lost.
    """
    context = replace(context, unit=unit.name)
    context.progress("preparing", 0, 0)
    results: dict[int, str | None] = {}
    began, token = time.perf_counter(), UNIT.set(unit.name)
    log.debug("begins with the repetitions %s", unit.repetitions)
    try:
        _execute(unit, context, results)
    except LostLeaseError as error:
        if context.process[1] > 1:
            raise  # the others wait for this one: torchrun ends them all
        log.warning("%s", error)
        return Finished(unit, results, time.perf_counter() - began, lost=True)
    finally:
        UNIT.reset(token)
    return Finished(unit, results, time.perf_counter() - began)


def _execute(unit: Unit, context: Context, results: dict[int, str | None]) -> None:
    """Run a unit's repetitions; fills in the error message of each, None where it is done."""
    store = RecordStore(context.results)
    cells = {cell.repetition: cell for cell in unit.cells}
    started = _now()
    forget_peak_memory(context.device)
    try:
        data = _data_notes(unit, context)
        clock = time.perf_counter()
        for outcome in _outcomes(unit, context):
            wall = time.perf_counter() - clock
            cell = cells[outcome.repetition]
            _check_finite(outcome)
            record = {
                **_header(cell, context, started),
                "status": "done",
                "metrics": dict(outcome.metrics),
                "cost": {
                    "wall_s": wall,
                    **outcome.cost,
                    "peak_memory_mb": peak_memory_mb(context.device),
                },
                "finished": _now(),
            }
            record["digests"] |= outcome.digests
            record["notes"] |= {**data, **outcome.notes}
            if unit.labels != WHOLE:
                subset = outcome.notes["subset"]["sha256"]
                record["pairing"] = unit.pairing(outcome.repetition, subset)
            message = None
            if context.writes:
                predictions, files = outcome.predictions, outcome.files
                message = _write(store, cell, context, record, predictions, files)
            results[outcome.repetition] = message
            context.progress(RECORDED, len(results), len(cells))
            clock, started = time.perf_counter(), _now()
    except LostLeaseError:
        raise
    except Exception as error:
        message = str(error) if isinstance(error, OmnibenchError) else f"{_name(error)}: {error}"
        log.debug("%s failed", unit.name, exc_info=True)
        for repetition, cell in cells.items():
            if repetition not in results:
                results[repetition] = message
                if context.writes:
                    results[repetition] = _write_failure(
                        store, cell, context, started, error, message
                    )
        if context.process[1] > 1:
            raise  # as above


def _outcomes(unit: Unit, context: Context) -> Iterator[Outcome]:
    """Run a unit's task in this machine's precision.

    Where each repetition draws the backbone's weights anew, each is a unit of its own backbone.
    """
    task = tasks.get(unit.task)
    for member in unit.members:
        kind, _, planned = member.sources["backbone"].partition(" ")[0].partition(":")
        if kind == "builder":
            require_unchanged(member.backbone.source, planned)
    for name, digest in code_sources(task, task.adaptations.get(unit.adaptation)).items():
        if unit.sources.get(name, digest) != digest:
            raise RequestError(
                f"the source of the {name.removesuffix('-code')} of {unit.name} changed while it "
                "ran; give the same command again"
            )
    unit = unit.at_precision(context.precision)
    if unit.recipe.get("init") != "per-repetition":
        yield from task.run(unit, context)
        return
    for repetition in unit.repetitions:
        own = replace(unit, backbone=drawn(unit.backbone, repetition))
        yield from task.run(only(own, (repetition,)), context)


def _data_notes(unit: Unit, context: Context) -> dict[str, Any]:
    """Return what the unit's local dataset was taken for, and what looks wrong with it."""
    from omnibench.data.survey import surveys

    seen = surveys([unit], context.data).get(unit.dataset.id)
    return {"data": seen.notes} if seen else {}


def fail_unit(
    unit: Unit, context: Context, error: OmnibenchError, attempts: int, seconds: float
) -> Finished:
    """Write a failed record for what a unit has not finished, where its own process cannot.

    Args:
        attempts: how often it was tried.
        seconds: that the last one took.
    """
    store, started = RecordStore(context.results), _now()
    results: dict[int, str | None] = {}
    try:
        for cell in unit.cells:
            results[cell.repetition] = _write_failure(
                store, cell, context, started, error, str(error), attempts
            )
    except LostLeaseError as lost:
        log.warning("%s", lost)
        return Finished(unit, results, seconds, lost=True)
    return Finished(unit, results, seconds)


def only(unit: Unit, repetitions: tuple[int, ...]) -> Unit:
    """The same unit, asked for these repetitions alone."""
    return replace(unit, repetitions=repetitions)


def _write(
    store: RecordStore,
    cell: Cell,
    context: Context,
    record: Mapping[str, Any],
    predictions: Mapping[str, NDArray[Any]] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> str | None:
    """Write a cell's record, unless there is one that this run is not to replace.

    Returns:
        The error message of the record that is there then; None where its cell is done.

    Raises:
        LostLeaseError: the unit is another runner's by now; nothing was written.
        StoreError: the disk is full or the folder not writable.
    """
    context.check_lease()
    with finishing():
        earlier = store.look(cell)
        if context.due(earlier):
            store.write(cell, record, predictions, files, context.check_lease)
            return error_message(record)
    return error_message(earlier)


def error_message(record: Mapping[str, Any] | None) -> str | None:
    """Return the message of a record's error; None where it has none."""
    return str(record["error"]["message"]) if record and record["error"] else None


def _write_failure(
    store: RecordStore,
    cell: Cell,
    context: Context,
    started: str,
    error: Exception,
    message: str,
    attempts: int = 1,
) -> str | None:
    """Write the record of a cell that failed; returns as `_write`.

    Raises:
        LostLeaseError: as of `_write`.
    """
    kind = error.kind if isinstance(error, OmnibenchError) else _kind(error)
    record = {
        **_header(cell, context, started),
        "status": "failed",
        "cost": {"peak_memory_mb": peak_memory_mb(context.device)},
        "error": {
            "kind": kind,
            "message": message,
            "traceback": "".join(traceback.format_exception(error)),
        },
        "finished": _now(),
    }
    record["notes"]["attempts"] = attempts
    try:
        return _write(store, cell, context, record)
    except StoreError as failure:
        # With a full disk not even the failure can be kept: the cell stays missing, and is named.
        log.error("%s, repetition %d: %s", cell.unit.name, cell.repetition, failure)
        return message


def _header(cell: Cell, context: Context, started: str) -> dict[str, Any]:
    machine = {**describe(context), "precision": _precision(cell.unit, context)}
    if context.plugins:
        machine["plugins"] = [path.name for path in context.plugins]
    return {**blank(cell), "environment": machine, "run": context.run, "started": started}


def _precision(unit: Unit, context: Context) -> str:
    """Return the precision that was used."""
    return str(unit.at_precision(context.precision).recipe.get("precision", "fp32"))


def _check_finite(outcome: Outcome) -> None:
    for name, value in outcome.metrics.items():
        if value is not None and not math.isfinite(value):
            raise NumericError(
                f"the metric {name} is {value}; its predictions hold values that are not finite"
            )


def _kind(error: Exception) -> str:
    return "out of memory" if is_out_of_memory(error) else "bug"


def _name(error: Exception) -> str:
    return type(error).__name__


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")

"""`run`: compute what is missing, and say how it ended."""

import contextlib
import logging
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from omnibench import weights
from omnibench.cell import Unit
from omnibench.commands.clusters import on_cluster
from omnibench.commands.planning import needs
from omnibench.commands.session import Places, Session, checked_device
from omnibench.context import Context
from omnibench.engines import Engine, engines, run_units
from omnibench.engines.slurm_jobs import queued
from omnibench.errors import MissingWeightsError, RequestError, WeightsError
from omnibench.execute import Finished, only
from omnibench.files import inside, sweep
from omnibench.interrupts import Interrupted, interruptible
from omnibench.plan import CellState, Filters, progress, running
from omnibench.store import check_writable
from omnibench.terminal import echo

log = logging.getLogger("omnibench")


class Display(Protocol):
    """Shows a run: on a terminal a live table, else plain lines."""

    def stage(self, name: str, done: int, total: int) -> None: ...

    def finished(self, result: Finished) -> None: ...


def run(
    name: str,
    filters: Filters,
    places: Places,
    *,
    engine: str,
    device: str,
    retry_failed: bool,
    force: bool,
    max_failures: int | None,
    steal: Sequence[str] = (),
    jobs: int | None = None,
    time_limit: float | None = None,
    memory_limit: float | None = None,
    address: str | None = None,
    profile: Path | None = None,
) -> int:
    """Run a suite's missing cells; returns the exit status.

    Args:
        steal: whose units to take over, as of `Leases`.
        jobs: units at a time; None for one, or one a GPU.
        time_limit, memory_limit: of a unit, in seconds and GiB.
        address, profile: of a Ray cluster; of SLURM jobs.
    """
    if engine == "slurm" and (jobs is not None or max_failures is not None):
        raise RequestError(
            "--engine slurm takes no --jobs or --max-failures; see max_jobs of its profile"
        )
    session = Session.open(places)
    run_engine = engines.get(engine)
    context = session.context(device, retry_failed=retry_failed, force=force, steal=tuple(steal))
    context = on_cluster(engine, context, device, address, profile)
    slots = max(1, context.gpus) if context.device == "cuda" else 1
    context = replace(context, jobs=jobs or slots, time_limit=time_limit, memory_limit=memory_limit)
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return _run(name, filters, session, run_engine, context, max_failures)
    from omnibench.training.processes import joined

    with joined(context) as own:
        return _run(name, filters, session, run_engine, own, max_failures)


def _run(
    name: str,
    filters: Filters,
    session: Session,
    run_engine: Engine,
    context: Context,
    max_failures: int | None,
) -> int:
    suite, units = session.suite(name, filters)
    context = replace(context, plugins=tuple(dict.fromkeys((*context.plugins, *suite.plugins))))
    check_writable(session.results)
    due = _due(units, session, context)
    if due:
        check_writable(session.data)
        if run_engine is engines.get("local"):
            checked_device(context.device)
        if _fetch_weights([unit for unit in units if unit.name in due], session.data):
            suite, units = session.suite(name, filters)
    found = progress(units, session.store)
    _sweep([state for state in found if not context.due(state.record)], session, context)
    blocked = needs(found)
    pending = [
        only(unit, due[unit.name])
        for unit in units
        if unit.name in due and not any(needed.needs for needed in (unit, *unit.after))
    ]
    done = sum(state.state == "done" for state in found)
    if blocked and not pending and not done:
        raise RequestError(f"nothing can start: {'; '.join(blocked)}")
    cells = sum(len(unit.repetitions) for unit in pending)
    echo(f"{suite.name}: {len(found)} cells, {done} done, {cells} to compute on {context.device}")
    for need in blocked:
        echo(f"blocked: {need}", err=True)
    try:
        failures = _compute(run_engine, pending, context, max_failures)
    except Interrupted as signal:
        echo(f"{signal}: stopped; the same command goes on from here", err=True)
        return 128 + signal.number
    left = progress(units, session.store)
    if not any(state.state == "done" for state in left) and _refused(left):
        raise RequestError(f"nothing could start: {'; '.join(dict.fromkeys(failures))}")
    for message, count in Counter(failures).items():
        echo(f"failed: {message} ({count} cells)", err=True)
    counts = Counter(state.state for state in left)
    held = queued(session.results) if counts["missing"] else {}
    coming = sum(state.state == "missing" and state.cell.unit.name in held for state in left)
    echo(
        f"{suite.name}: {counts['done']} of {len(left)} cells done, {counts['failed']} failed, "
        f"{counts['blocked']} blocked"
        + (f", {coming} in the queue; `omnibench status` says how far they are" if coming else "")
    )
    return 0 if counts["done"] + coming == len(left) else 1


def _due(units: Sequence[Unit], session: Session, context: Context) -> dict[str, tuple[int, ...]]:
    """Unit name -> the repetitions that this run is to compute."""
    due: dict[str, list[int]] = {}
    for state in progress(units, session.store):
        if context.due(state.record):
            due.setdefault(state.cell.unit.name, []).append(state.cell.repetition)
    return {name: tuple(repetitions) for name, repetitions in due.items()}


def _sweep(left: Sequence[CellState], session: Session, context: Context) -> None:
    """Delete what killed runs left: temporary files, and checkpoints of cells that are done.

    Args:
        left: cells that this run does not compute.
    """
    for folder in (session.results, context.features):
        sweep(folder)
    busy = running([state.cell.unit for state in left], context)
    done = {s.cell.digest for s in left if s.state == "done" and s.cell.unit.name not in busy}
    for folder in inside(session.results / "checkpoints", session.results).glob("*-*"):
        if folder.name.partition("-")[0] in done:
            shutil.rmtree(folder, ignore_errors=True)


def _compute(
    engine: Engine, pending: Sequence[Unit], context: Context, max_failures: int | None
) -> list[str]:
    """Run the units; returns the message of every cell that failed."""
    failures: list[str] = []
    with _display(pending) as display, _logging(context.run), interruptible():
        for result in run_units(engine, pending, replace(context, progress=display.stage)):
            display.finished(result)
            failures.extend(m for m in result.repetitions.values() if m is not None)
            if max_failures is not None and len(failures) > max_failures:
                log.error("stopped after %d failed cells (--max-failures)", len(failures))
                break
    return failures


def _refused(left: Sequence[CellState]) -> bool:
    """Whether every cell failed for what was asked or given, not in the computing."""
    kinds = {s.record["error"]["kind"] for s in left if s.record is not None and s.record["error"]}
    return bool(kinds) and kinds <= {"request", "data", "weights", "missing weights"}


def _fetch_weights(units: Sequence[Unit], data: Path) -> bool:
    """Try to fetch what hub backbones lack; whether anything arrived."""
    cards = {unit.backbone.id: unit.backbone for unit in units}
    arrived = False
    for card in cards.values():
        if weights.hub_repository(card) is None or weights.locate(card, data) is not None:
            continue
        try:
            weights.fetch(card, data)
            arrived = True
        except MissingWeightsError as error:
            log.debug("%s", error)  # said once, as what blocks its cells
        except WeightsError as error:
            log.warning("%s", error)
    return arrived


@contextlib.contextmanager
def _logging(run_id: str) -> Iterator[None]:
    """Show omnibench's own messages with the run's id, shortened, on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"[{run_id[:6]}] %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.propagate = True


@contextlib.contextmanager
def _display(pending: Sequence[Unit]) -> Iterator[Display]:
    if sys.stdout.isatty() and pending:
        from omnibench.commands.live import LiveTable

        with LiveTable(pending) as table:
            yield table
    else:
        yield PlainLines(pending)


class PlainLines:
    """One line a finished unit."""

    def __init__(self, pending: Sequence[Unit]) -> None:
        self.total = len(pending)
        self.count = 0
        self.began = time.monotonic()

    def stage(self, name: str, done: int, total: int) -> None:
        """Stages are not shown."""

    def finished(self, result: Finished) -> None:
        """Print what became of a unit, and the time left at this rate."""
        self.count += 1
        failed = {k: message for k, message in result.repetitions.items() if message is not None}
        done = len(result.repetitions) - len(failed)
        left = (time.monotonic() - self.began) / self.count * (self.total - self.count)
        echo(
            f"[{self.count}/{self.total}] {result.unit.name}: {done} done"
            + (f", {len(failed)} failed" if failed else "")
            + f" in {result.seconds:.1f} s"
            + (f", about {left:.0f} s left" if self.count < self.total else "")
        )

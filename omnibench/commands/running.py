"""`run`: compute what is missing, and say how it ended."""

import contextlib
import logging
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from omnibench import weights
from omnibench.cell import Unit
from omnibench.commands.board import Board
from omnibench.commands.logs import logged
from omnibench.commands.options import RunOptions
from omnibench.commands.progress import Display, display
from omnibench.commands.stored_weights import weights_remark
from omnibench.context import Context
from omnibench.device import checked_device
from omnibench.engines import engines, run_units
from omnibench.engines.slurm_jobs import queued
from omnibench.errors import MissingWeightsError, RequestError, WeightsError
from omnibench.execute import only
from omnibench.files import inside, sweep
from omnibench.interrupts import Interrupted, interruptible
from omnibench.leases import STOPPED
from omnibench.session import Places, Session
from omnibench.states import CellState, Filters, needs, progress, running
from omnibench.store import check_writable
from omnibench.suite import Suite, SuiteSource
from omnibench.terminal import echo, print_above

log = logging.getLogger("omnibench")


@dataclass(frozen=True)
class Run:
    """A run that is about to start.

    Attributes:
        states: of every cell that the filters leave, before the run.
        pending: the units to compute, with the repetitions that are due.
    """

    suite: Suite
    units: tuple[Unit, ...]
    states: list[CellState]
    pending: tuple[Unit, ...]
    session: Session
    context: Context
    options: RunOptions

    def compute(self, display: Display) -> list[str]:
        """Compute the pending units; returns the message of every cell that failed.

        Raises:
            Interrupted: a signal ended it.
        """
        failures: list[str] = []
        most = self.options.max_failures
        in_main_thread = threading.current_thread() is threading.main_thread()
        context = replace(self.context, watch=display.stage)
        with interruptible() if in_main_thread else contextlib.nullcontext():
            for result in run_units(engines.get(self.options.engine), self.pending, context):
                log.debug("ended: %s", result.repetitions, extra={"unit": result.unit.name})
                if self.context.writes:  # of several processes the first one tells
                    display.finished(result)
                failures.extend(m for m in result.repetitions.values() if m is not None)
                if most is not None and len(failures) > most:
                    log.error("stopped after %d failed cells (--max-failures)", len(failures))
                    break
        return failures

    def logged(self, screen: int | None) -> contextlib.AbstractContextManager[Path | None]:
        """Return a block whose messages go to the run's log file, and from a level on to a screen.

        Args:
            screen: as of `logged`.
        """
        if not self.context.writes:
            return contextlib.nullcontext()
        return logged(self.session.results, self.suite.name, self.context.run, screen)

    def ended(self, failures: Sequence[str]) -> list[CellState]:
        """Return the state of every cell after the run.

        Args:
            failures: as `compute` returned them.

        Raises:
            RequestError: nothing could start.
        """
        states = progress(self.units, self.session.store)
        if not any(state.state == "done" for state in states) and _refused(states):
            records = [state.record for state in states if state.record is not None]
            earlier = [str(record["error"]["message"]) for record in records if record["error"]]
            again = "" if failures else "; correct that and give --retry-failed"
            reasons = "; ".join(dict.fromkeys(failures or earlier))
            raise RequestError(f"nothing could start: {reasons}{again}")
        return states


@contextlib.contextmanager
def prepared(
    source: SuiteSource, filters: Filters, session: Session, options: RunOptions
) -> Iterator[Run]:
    """Yield the run of what is missing of a suite, its weights fetched where that is possible.

    Raises:
        RequestError: an option of another engine, a device or a folder that cannot be used, or
            nothing can start.
    """
    if options.engine == "slurm" and (options.jobs, options.max_failures) != (None, None):
        raise RequestError(
            "--engine slurm takes no --jobs or --max-failures; see max_jobs of its profile"
        )
    engines.get(options.engine)  # before anything that takes time
    context = _context(session, options)
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield _prepare(source, filters, session, context, options)
        return
    from omnibench.training.processes import joined

    with joined(context) as own:
        yield _prepare(source, filters, session, own, options)


def _context(session: Session, options: RunOptions) -> Context:
    """Return the context of the machines on which the engine computes.

    Raises:
        RequestError: an option of another engine, or a cluster that cannot be used.
    """
    context = session.context(
        options.device,
        options.threads,
        retry_failed=options.retry_failed,
        force=options.force,
        steal=(*([STOPPED] if options.steal else []), *(options.steal_from or [])),
    )
    if options.threads is not None and (options.engine == "slurm" or options.address is not None):
        raise RequestError(
            "--threads is of this machine; on a cluster the profile's cpus or the nodes of Ray "
            "say it"
        )
    if options.address is not None and options.engine != "ray":
        raise RequestError("--address is of --engine ray")
    if options.profile is not None and options.engine != "slurm":
        raise RequestError("--profile is of --engine slurm")
    if options.engine == "ray" and options.address is not None:
        from omnibench.engines import ray

        context = ray.join(context, options.address, options.device)
    elif options.engine == "slurm":
        from omnibench.engines import slurm

        context = slurm.join(replace(context, profile=options.profile), options.device)
    slots = max(1, context.gpus) if context.device == "cuda" else 1
    return replace(
        context,
        jobs=options.jobs or slots,
        time_limit=options.time_limit,
        memory_limit=options.memory_limit,
    )


def _prepare(
    source: SuiteSource,
    filters: Filters,
    session: Session,
    context: Context,
    options: RunOptions,
) -> Run:
    suite, units = session.suite(source, filters)
    context = replace(context, plugins=tuple(dict.fromkeys((*context.plugins, *suite.plugins))))
    check_writable(session.results)
    states = progress(units, session.store)
    due = [state.cell.unit for state in states if context.due(state.record)]
    if due:
        check_writable(session.data)
        if options.engine == "local":
            checked_device(context.device)
        if _fetch_weights(due, session.data):
            suite, units = session.suite(source, filters)
            states = progress(units, session.store)
    _sweep([state for state in states if not context.due(state.record)], session, context)
    pending = tuple(_pending(units, states, context))
    blocked = needs(states)
    if blocked and not pending and not any(state.state == "done" for state in states):
        raise RequestError(f"nothing can start: {'; '.join(blocked)}")
    return Run(suite, units, states, pending, session, context, options)


def run(name: str, filters: Filters, places: Places, options: RunOptions) -> int:
    """Run a suite's missing cells and print how far it is; returns the exit status."""
    session = Session.open(places)
    if options.verbose and options.quiet:
        raise RequestError("--verbose and --quiet exclude each other; give one of them")
    if options.max_repetitions is not None and not options.until_decided:
        raise RequestError("--max-repetitions is of --until-decided")
    if not options.until_decided:
        with prepared(name, filters, session, options) as run:
            return _run(run)
    from omnibench.commands.rounds import rounds

    for run in rounds(name, filters, session, options, echo):
        if status := _run(run):
            return status
    return 0


def _run(run: Run) -> int:
    name, total = run.suite.name, len(run.states)
    done = sum(state.state == "done" for state in run.states)
    cells = sum(len(unit.repetitions) for unit in run.pending)
    options, board = run.options, Board.from_context(run.pending, run.context)
    quiet = options.quiet or not run.context.writes
    if not quiet:
        line = f"{name}: {total} cells, {done} done, {cells} to compute on {run.context.device}"
        echo(line + (f", {board.left}" if board.left else ""))
    for need in needs(run.states):
        print_above(f"blocked: {need}")
    left = [state for state in run.states if not run.context.due(state.record)]
    if remark := weights_remark(left, run.session.store, name):
        print_above(f"weights: {remark}")
    level = logging.ERROR if quiet else logging.INFO if options.verbose else logging.WARNING
    try:
        with display(board, quiet=quiet) as shown, run.logged(level) as path:
            failures = run.compute(shown)
    except Interrupted as signal:
        echo(f"{signal}: stopped; the same command goes on from here", err=True)
        return 128 + signal.number
    states = run.ended(failures)
    if failures and path:
        print_above(f"tracebacks and all messages of this run: {path}")
    counts = Counter(state.state for state in states)
    held = queued(run.session.results) if counts["missing"] else {}
    coming = sum(state.state == "missing" and state.cell.unit.name in held for state in states)
    echo(
        f"{name}: {counts['done']} of {total} cells done, {counts['failed']} failed, "
        f"{counts['blocked']} blocked"
        + (f", {coming} in the queue; `omnibench status` says how far they are" if coming else "")
    )
    return 0 if counts["done"] + coming == total else 1


def _pending(
    units: Iterable[Unit], states: Iterable[CellState], context: Context
) -> Iterator[Unit]:
    """Yield the units that nothing blocks, with the repetitions that this run is to compute."""
    due: dict[str, list[int]] = {}
    for state in states:
        if context.due(state.record):
            due.setdefault(state.cell.unit.name, []).append(state.cell.repetition)
    for unit in units:
        if unit.name in due and not any(needed.needs for needed in (unit, *unit.after)):
            yield only(unit, tuple(due[unit.name]))


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


def _refused(states: Sequence[CellState]) -> bool:
    """Return whether every cell failed for what was asked or given, not in the computing."""
    errors = [s.record["error"] for s in states if s.record is not None and s.record["error"]]
    kinds = {error["kind"] for error in errors}
    return bool(kinds) and kinds <= {"request", "data", "weights", "missing weights"}


def _fetch_weights(units: Sequence[Unit], data: Path) -> bool:
    """Try to fetch what hub backbones lack; return whether anything arrived."""
    cards = {unit.backbone.id: unit.backbone for unit in units}
    arrived = False
    for card in cards.values():
        if weights.hub_repository(card) is None or weights.locate(card, data) is not None:
            continue
        try:
            weights.fetch(card, data)
            arrived = True
        except MissingWeightsError as error:
            log.debug("%s", error)  # shown once, as what blocks its cells
        except WeightsError as error:
            log.warning("%s", error)
    return arrived

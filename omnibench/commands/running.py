"""`run`: compute what is missing, and say how it ended."""

import contextlib
import logging
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import typer

from omnibench import weights
from omnibench.cell import Unit
from omnibench.commands.planning import needs
from omnibench.commands.session import Places, Session
from omnibench.engines import engines
from omnibench.errors import MissingWeightsError, RequestError
from omnibench.execute import Finished, only
from omnibench.interrupts import Interrupted, interruptible
from omnibench.plan import Filters, states
from omnibench.store import check_writable

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
) -> int:
    """Run a suite's missing cells; returns the exit status."""
    session = Session.open(places)
    run_engine = engines.get(engine)
    _, units = session.suite(name, filters)
    check_writable(session.results)
    check_writable(session.data)
    if _fetch_weights(units, session.data):
        _, units = session.suite(name, filters)
    context = session.context(device, retry_failed=retry_failed, force=force)
    found = states(units, session.store)
    blocked = needs(found)
    due: dict[str, list[int]] = {}
    for state in found:
        if state.state != "blocked" and context.due(state.record) and not state.cell.unit.needs:
            due.setdefault(state.cell.unit.name, []).append(state.cell.repetition)
    pending = [only(unit, tuple(due[unit.name])) for unit in units if unit.name in due]
    done = sum(state.state == "done" for state in found)
    cells = sum(len(unit.repetitions) for unit in pending)
    if blocked and not pending and not done:
        raise RequestError(f"nothing can start: {'; '.join(blocked)}")
    typer.echo(f"{name}: {len(found)} cells, {done} done, {cells} to compute on {context.device}")
    for need in blocked:
        typer.echo(f"blocked: {need}", err=True)
    failures = sum(state.state == "failed" and not context.due(state.record) for state in found)
    try:
        with _logging(), _display(pending) as display, interruptible():
            for result in run_engine(pending, replace(context, progress=display.stage)):
                display.finished(result)
                failures += sum(message is not None for message in result.repetitions.values())
                if max_failures is not None and failures > max_failures:
                    log.error("stopped after %d failed cells (--max-failures)", failures)
                    break
    except Interrupted as signal:
        typer.echo(f"{signal}: stopped; the same command goes on from here", err=True)
        return 128 + signal.number
    left = states(units, session.store)
    counts = [sum(state.state == kind for state in left) for kind in ("done", "failed", "blocked")]
    typer.echo(
        f"{name}: {counts[0]} of {len(left)} cells done, {counts[1]} failed, {counts[2]} blocked"
    )
    return 0 if counts[0] == len(left) else 1


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
            log.warning("%s", error)
    return arrived


@contextlib.contextmanager
def _logging() -> Iterator[None]:
    """Show omnibench's own messages with the run's id, on standard error."""
    run_id = secrets.token_hex(3)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"[{run_id}] %(message)s"))
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
        typer.echo(
            f"[{self.count}/{self.total}] {result.unit.name}: {done} done"
            + (f", {len(failed)} failed" if failed else "")
            + f" in {result.seconds:.1f} s"
            + (f", about {left:.0f} s left" if self.count < self.total else "")
        )
        for message in dict.fromkeys(failed.values()):
            typer.echo(f"  failed: {message}", err=True)

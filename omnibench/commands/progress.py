"""What shows a run while it goes on: a live table, or plain lines."""

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from omnibench.cell import Unit
from omnibench.execute import Finished
from omnibench.terminal import echo, printable

SHOWN = 12  # units that the table holds


class Display(Protocol):
    """Shows a run."""

    def stage(self, name: str, done: int, total: int) -> None: ...

    def finished(self, result: Finished) -> None: ...


@contextlib.contextmanager
def display(pending: Sequence[Unit], err: bool = False) -> Iterator[Display]:
    """Yield a live table on a terminal and in a notebook, else what prints a line for each unit.

    Args:
        err: shown on standard error instead of standard output.
    """
    console = Console(stderr=err)
    if pending and (console.is_jupyter or (sys.stderr if err else sys.stdout).isatty()):
        with LiveTable(pending, console) as table:
            yield table
    else:
        yield PlainLines(pending, err)


class PlainLines:
    """Prints one line for each finished unit."""

    def __init__(self, pending: Sequence[Unit], err: bool = False) -> None:
        self.total = len(pending)
        self.err = err
        self.count = 0
        self.began = time.monotonic()

    def stage(self, name: str, done: int, total: int) -> None:
        """Show nothing of a stage."""

    def finished(self, result: Finished) -> None:
        """Print what became of a unit, and the time left at this rate."""
        self.count += 1
        failed = sum(message is not None for message in result.repetitions.values())
        left = (time.monotonic() - self.began) / self.count * (self.total - self.count)
        echo(
            f"[{self.count}/{self.total}] {result.unit.name}: "
            f"{len(result.repetitions) - failed} done"
            + (f", {failed} failed" if failed else "")
            + f" in {result.seconds:.1f} s"
            + (f", about {left:.0f} s left" if self.count < self.total else ""),
            err=self.err,
        )


class LiveTable:
    """Shows units, stage, rate and time left, redrawn as stages go on and units finish."""

    def __init__(self, pending: Sequence[Unit], console: Console) -> None:
        self.pending = list(pending)
        self.results: list[Finished] = []
        self.current = ""
        self.began = time.monotonic()
        self.live = Live(self._table(), console=console, refresh_per_second=4)

    def __enter__(self) -> "LiveTable":
        self.live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.live.update(self._table())
        self.live.__exit__(kind, error, trace)

    def stage(self, name: str, done: int, total: int) -> None:
        """Show what the unit in hand is doing."""
        self.current = f"{name} {done}/{total}"
        self.live.update(self._table())

    def finished(self, result: Finished) -> None:
        """Move a unit to the finished ones."""
        self.results.append(result)
        self.current = ""
        self.live.update(self._table())

    def _table(self) -> Table:
        elapsed = time.monotonic() - self.began
        count, total = len(self.results), len(self.pending)
        rate = f"{60 * count / elapsed:.1f} units a minute" if count else "first unit"
        left = f", {elapsed / count * (total - count):.0f} s left" if count else ""
        table = Table(title=f"{count} of {total} units, {rate}{left}", title_justify="left")
        for heading in ("task", "dataset", "backbone", "adaptation", "state"):
            table.add_column(heading)
        finished = {result.unit.name: result for result in self.results}
        first = max(0, min(count - SHOWN // 2, total - SHOWN))
        busy = next((unit.name for unit in self.pending if unit.name not in finished), None)
        for unit in self.pending[first : first + SHOWN]:
            state = "waiting"
            if unit.name in finished:
                result = finished[unit.name]
                failed = [message for message in result.repetitions.values() if message]
                state = f"[red]{len(failed)} failed[/red]" if failed else f"{result.seconds:.1f} s"
            elif unit.name == busy:
                state = self.current or "starting"
            cells = (unit.task, unit.dataset.id, unit.backbone.id, unit.short)
            table.add_row(*(escape(printable(cell)) for cell in cells), state)
        return table

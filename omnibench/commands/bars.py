"""A run on a terminal: a bar for each slot, and one for all units."""

from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from omnibench.commands.board import Board
from omnibench.execute import Finished
from omnibench.terminal import print_above, printable, shortened

REFRESHES = 4  # a second
STAGE = 44  # columns of a stage, where there are as many
GAPS = 3  # columns between the three parts of a line, and the last one, which stays free


class Bars:
    """Shows what each slot does, redrawn in place; failures stand above."""

    def __init__(self, board: Board, console: Console, redirect_stderr: bool = True) -> None:
        self.board, self.console = board, console
        self.stage = board.stage
        self._words, self._look = "", board.began
        self._live = Live(
            get_renderable=self._table,
            console=console,
            refresh_per_second=REFRESHES,
            transient=True,
            redirect_stderr=redirect_stderr,
        )

    def __enter__(self) -> "Bars":
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def finished(self, result: Finished) -> None:
        """Free a unit's slot; print above the bars why it failed."""
        self.board.finished(result)
        for sentence in self.board.reasons(result):
            print_above(sentence)

    def _table(self) -> Table:
        """Return the bars in the terminal's width as it is now."""
        slots = self.board.busy()
        longest = max(len(printable(text)) for text in (*(s.unit for s in slots), self.board.count))
        bar = 16 if self.console.width > 80 else 8
        room = max(2, self.console.width - bar - GAPS)
        name = max(1, min(longest, room - min(STAGE, room // 2)))
        stage = room - name
        table = Table.grid(padding=(0, 1))
        for width in (name, bar, stage):
            table.add_column(width=width, no_wrap=True, overflow="crop")

        def add(what: str, done: int, total: int, how: str) -> None:
            share = ProgressBar(total=max(1, total), completed=min(done, total), width=bar)
            table.add_row(Text(shortened(what, name)), share, Text(shortened(how, stage)))

        for slot in slots:
            add(slot.unit, slot.done, slot.total, slot.words)
        add(self.board.count, self.board.ended, self.board.total, self._left())
        return table

    def _left(self) -> str:
        """Return the time that is left, looked up once a second."""
        now = self.board.clock()
        if now >= self._look:
            self._look, self._words = now + 1.0, self.board.left
        return self._words

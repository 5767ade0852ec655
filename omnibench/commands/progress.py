"""What shows a run while it goes on: bars on a terminal, else lines, or failures alone."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Protocol

from rich.console import Console

from omnibench.commands.bars import Bars
from omnibench.commands.board import Board
from omnibench.commands.lines import Lines
from omnibench.execute import Finished
from omnibench.terminal import print_above


class Display(Protocol):
    """Shows a run."""

    def stage(self, unit: str, stage: str, done: int, total: int) -> None:
        """Show how far a unit is."""

    def finished(self, result: Finished) -> None:
        """Show what became of a unit."""


@contextlib.contextmanager
def display(board: Board, err: bool = False, quiet: bool = False) -> Iterator[Display]:
    """Yield bars on a terminal and in a notebook, else what prints lines.

    Args:
        err: shown on standard error instead of standard output.
        quiet: show failures alone.
    """
    console = Console(stderr=err)
    terminal = (sys.stderr if err else sys.stdout).isatty() and not console.is_dumb_terminal
    if quiet or not board.total:
        yield Failures(board)
    elif console.is_jupyter or terminal:
        with Bars(board, console, redirect_stderr=sys.stderr.isatty()) as bars:
            yield bars
    else:
        with Lines(board, err) as lines:
            yield lines


class Failures:
    """Shows nothing but failures."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.stage = board.stage

    def finished(self, result: Finished) -> None:
        """Print why repetitions failed."""
        self.board.finished(result)
        for sentence in self.board.reasons(result):
            print_above(sentence)

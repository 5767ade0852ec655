"""What goes to the terminal: texts of records, names of files and labels act on nothing there."""

import logging
import re
from collections.abc import Iterable, Sequence
from typing import Any

import typer

# Control characters but for the ends of lines and tabs, what turns the direction of writing, and
# the lone surrogates of broken file names.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Return a text in which what a terminal would obey is spelled out, as in \\x1b."""
    return UNPRINTABLE.sub(lambda match: ascii(match[0])[1:-1], text)


def echo(text: str = "", err: bool = False) -> None:
    """Print a text, spelled out where a terminal would obey it."""
    typer.echo(printable(text), err=err)


def echo_json(value: Any) -> None:
    """Print one JSON object on standard output."""
    import json  # not needed by --help, which starts in a blink

    echo(json.dumps(value, indent=1, allow_nan=False))


def columns(rows: Iterable[Sequence[Any]], header: Sequence[str]) -> str:
    """Return rows as aligned columns of plain text."""
    lines = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


class PrintableFormatter(logging.Formatter):
    """The lines of a log as `printable` spells them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return printable(super().format(record))

"""What goes to the terminal: texts of records, names of files and labels act on nothing there."""

import itertools
import logging
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import typer

WIDTH = 120  # of a line that is printed while a run goes on
# Control characters but for the ends of lines and tabs, what turns the direction of writing, and
# the lone surrogates of broken file names.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

GAP = "  "  # between columns
UNITS = ("B", "kB", "MB", "GB", "TB")
NARROWEST = 10  # characters of a column that is still read as one


def printable(text: str) -> str:
    r"""Return a text in which what a terminal would obey is spelled out, as in \\x1b."""
    return UNPRINTABLE.sub(lambda match: ascii(match[0])[1:-1], text)


def echo(text: str = "", err: bool = False) -> None:
    """Print a text, spelled out where a terminal would obey it."""
    typer.echo(printable(text), err=err)


def print_above(text: str) -> None:
    """Print a text on standard error, wrapped, above the bars where a terminal shows some."""
    # Not by `echo`, which writes past what `rich` puts in place of standard error.
    room = os.get_terminal_size(sys.stderr.fileno()).columns if sys.stderr.isatty() else WIDTH
    sys.stderr.write(wrapped(text, min(WIDTH, room or WIDTH)) + "\n")


def wrapped(text: str, width: int, indent: str = "  ") -> str:
    """Return a text in lines of at most `width` characters, all but the first one indented."""
    lines = textwrap.wrap(printable(text), width, subsequent_indent=indent, break_on_hyphens=False)
    return "\n".join(lines)


def shortened(text: str, width: int) -> str:
    """Return a text of at most `width` characters; what is left out stood in its middle."""
    text = printable(text)
    if len(text) <= width:
        return text
    end = max(0, width - 1) // 2
    return text[: max(0, width - 1 - end)] + "…" + text[len(text) - end :]


def duration(seconds: float) -> str:
    """Return a time in the two units that matter, as in "45 s", "12 min", "3 h 20 min"."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{round(hours / 24)} days"


def echo_json(value: Any) -> None:
    """Print one JSON object on standard output."""
    import json  # not needed by --help, which starts in a blink

    echo(json.dumps(value, indent=1, allow_nan=False))


def columns(rows: Iterable[Sequence[Any]], header: Sequence[str]) -> str:
    """Return rows as aligned columns of plain text, which every listing is printed with.

    On a terminal they fit its width: long cells go on in the next line, and where columns would
    become too narrow to be read, each row is a block of lines. A pipe or a file gets a line a row.
    """
    lines = [[printable(str(cell)).replace("\n", " ") for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if sys.stdout.isatty():
        room = shutil.get_terminal_size().columns
        fitted = _fitted(widths, room - len(GAP) * (len(widths) - 1))
        if fitted is None:
            return "\n".join(_block(row, header, room) for row in lines[1:])
        widths = fitted
    return "\n".join(line for row in lines for line in _wrapped(row, widths))


def hanging(text: str) -> str:
    """Return a line that on a terminal goes on below, set in, where it is longer than that."""
    if not sys.stdout.isatty():
        return text
    room = shutil.get_terminal_size().columns
    return textwrap.fill(text, room, subsequent_indent=GAP * 3, break_on_hyphens=False)


def size(count: int) -> str:
    """Return a number of bytes as people read it, in powers of ten."""
    amount, power = float(count), 0
    while amount >= 999.5 and power < len(UNITS) - 1:
        amount, power = amount / 1000, power + 1
    return f"{amount:.3g} {UNITS[power]}"


def _fitted(widths: Sequence[int], room: int) -> list[int] | None:
    """Return widths, the widest cut down to the room; None where columns get too narrow."""
    widest = max(widths)
    while sum(min(width, widest) for width in widths) > room:
        widest -= 1
        if widest < NARROWEST:
            return None
    return [min(width, widest) for width in widths]


def _wrapped(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """Yield the lines of a row whose cells go on below where they are longer than their width."""
    cells = [_pieces(cell, width) for cell, width in zip(row, widths, strict=True)]
    for pieces in itertools.zip_longest(*cells, fillvalue=""):
        padded = (piece.ljust(width) for piece, width in zip(pieces, widths, strict=True))
        yield GAP.join(padded).rstrip()


def _block(row: Sequence[str], header: Sequence[str], room: int) -> str:
    """Return a row as lines: its first cell, then the name and content of each other one."""
    lines, inner = _pieces(row[0], room), GAP * 2
    for name, cell in zip(header[1:], row[1:], strict=True):
        text = f"{name}: {cell}"
        lines += textwrap.wrap(text, room, initial_indent=GAP, subsequent_indent=inner)
    return "\n".join(lines)


def _pieces(text: str, width: int) -> list[str]:
    """Return a text in lines of a width; a name with hyphens stays whole where it fits."""
    return textwrap.wrap(text, width, break_on_hyphens=False) if len(text) > width else [text]


class PrintableFormatter(logging.Formatter):
    """The lines of a log as `printable` spells them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return printable(super().format(record))

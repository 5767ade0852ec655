"""What goes to the terminal: texts of records, names of files and labels act on nothing there."""

import logging
import re

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


class PrintableFormatter(logging.Formatter):
    """The lines of a log as `printable` spells them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return printable(super().format(record))

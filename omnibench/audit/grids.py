"""Take a pasted text apart into tables of cells: Markdown, LaTeX, or lines with separators."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omnibench.audit import latex
from omnibench.audit.cells import is_value
from omnibench.audit.latex import Line
from omnibench.errors import RequestError
from omnibench.files import read_regular

SEPARATORS = ("\t", ";", ",")
_LONGEST = 2000  # characters of a cell
_PIPE = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*")


@dataclass(frozen=True)
class Grid:
    """One table as cells, with their markup.

    Attributes:
        source: the file; name: the table's place in it, "1" for the first.
        lines: those with cells, all of one length.
        heads: the first so many are headings for sure; more may be.
        separator: of delimited text; "" of other text.
        notes: what was passed over, said in words.
    """

    source: Path
    name: str
    lines: tuple[Line, ...]
    heads: int
    separator: str = ""
    notes: tuple[str, ...] = ()


def read_grids(path: Path) -> list[Grid]:
    """Return the tables that a file holds.

    Raises:
        RequestError: it cannot be read as text, holds no table, or a line has not as many cells as
            the table has columns.
    """
    try:
        # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
        text = read_regular(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        kind = "CSV" if path.suffix.lower() == ".csv" else "a table"
        raise RequestError(f"{path} cannot be read as {kind}: {reason}") from None
    if latex.BEGIN.search(text):
        tables, separator = latex.tables(text, str(path)), ""
    elif path.suffix.lower() in (".md", ".markdown") or _is_markdown(text):
        tables, separator = _markdown(text), ""
    else:
        separator = _separator(text, path)
        tables = _delimited(text, separator, path)
    if not tables:
        raise RequestError(
            f"{path} holds no table: neither cells between pipes under a line of dashes, nor a "
            "LaTeX tabular, nor lines with commas, semicolons or tabs"
        )
    return [
        _grid(path, str(number), lines, heads, separator)
        for number, (lines, heads) in enumerate(tables, start=1)
    ]


def _grid(path: Path, name: str, lines: Sequence[Line], heads: int, separator: str) -> Grid:
    width = len(lines[0].cells) if lines else 0
    notes = []
    rows = []
    for line in lines:
        texts = [cell.strip() for cell in line.cells]
        if len(texts) < width and len(set(texts)) == 1 and not is_value(texts[0]):
            # What stands under a table: one text, over some columns or none.
            notes.append(f"line {line.number} is one text over the columns and no row")
        elif len(texts) != width:
            raise RequestError(
                f"{path}: line {line.number} has not as many cells as the header: {len(texts)}, "
                f"not {width}"
            )
        elif max(map(len, texts)) > _LONGEST:
            raise RequestError(
                f"{path}: line {line.number} has a cell of more than {_LONGEST} characters, which "
                "is no number and no name"
            )
        elif any(texts):
            rows.append(Line(line.number, tuple(texts)))
    return Grid(path, name, tuple(rows), heads, separator, tuple(notes))


def _is_markdown(text: str) -> bool:
    return any(_RULE.fullmatch(line) and "|" in line for line in text.splitlines())


def _markdown(text: str) -> list[tuple[list[Line], int]]:
    tables: list[tuple[list[Line], int]] = []
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if not (_PIPE.search(lines[number]) and _RULE.fullmatch(below) and "-" in below):
            number += 1
            continue
        table = [Line(number + 1, _piped(lines[number]))]
        number += 2
        while number < len(lines) and _PIPE.search(lines[number]):
            table.append(Line(number + 1, _piped(lines[number])))
            number += 1
        tables.append((table, 1))
    return tables


def _piped(line: str) -> tuple[str, ...]:
    bare = line.strip()
    bare = bare.removeprefix("|")
    if bare.endswith("|") and not bare.endswith(r"\|"):
        bare = bare[:-1]
    return tuple(cell.replace(r"\|", "|").strip() for cell in _PIPE.split(bare))


def _separator(text: str, path: Path) -> str:
    """Return what parts the cells: what all lines have as many of, but for one-cell notes."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    for separator in SEPARATORS:
        rows = csv.reader(io.StringIO(text), delimiter=separator)
        lengths = [length for length in map(len, rows) if length]
        if lengths and lengths[0] > 1 and set(lengths) <= {1, lengths[0]}:
            return separator
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(reversed(SEPARATORS), key=first.count)


def _delimited(text: str, separator: str, path: Path) -> list[tuple[list[Line], int]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    lines: list[Line] = []
    try:
        lines.extend(Line(reader.line_num, tuple(cells)) for cells in reader if cells)
    except csv.Error as error:
        raise RequestError(f"{path} cannot be read as CSV: {error}") from None
    return [(lines, 1)] if lines and len(lines[0].cells) > 1 else []

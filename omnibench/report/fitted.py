r"""Tables that fit a page: split where they are too long or too wide, and never cut off.

Widths are estimated in characters; what is still too wide is scaled down by `\obfit`, which
together with the box `\obtable` stands in `document.PREAMBLE`.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from omnibench.report.captions import caption
from omnibench.report.latex import escape, to_latex
from omnibench.report.plain import PlainTable, plain_latex
from omnibench.report.table import Table

ROWS = 45  # of a page, with room for the caption
_ROOM = 150  # characters beside each other, at three quarters of the size of a footnote
_VALUE = 12  # characters of a mean, its spread and its marks
_GAP = 3  # characters between columns
_CAPTION = 1800  # characters that a page has room for beside ROWS
_UNBROKEN = 24  # letters of a long word that stay together


def fitted(name: str, table: Table, label: str) -> str:
    """Return a printed table as one or more LaTeX tables, each small enough for a page.

    Args:
        name: of the suite.
        label: of the first part; the others share its number.
    """
    beside = (table.heads, *map(table.labels, table.rows))
    labels = max(sum(len(text) + _GAP for text in texts) for texts in beside)
    widths = [max(len(column), _VALUE) + _GAP for column in table.columns]
    parts = [
        replace(
            table,
            columns=table.columns[columns],
            rows=tuple(replace(row, cells=row.cells[columns]) for row in table.rows[rows]),
        )
        for rows in _lengths(len(table.rows))
        for columns in _groups(_ROOM - labels, widths)
    ]
    return _joined([to_latex(name, [part]) for part in parts], caption(table), label)


def fitted_plain(name: str, table: PlainTable, label: str) -> str:
    """Return a table of texts likewise, without its picture; without rows, its caption alone."""
    if not table.rows:
        return f"{breakable(table.caption)}\n"
    widths = [_longest(texts) + _GAP for texts in zip(table.heads, *table.rows, strict=True)]
    parts = [
        replace(
            table,
            picture="",
            heads=_with_names(table.heads, columns),
            rows=tuple(_with_names(row, columns) for row in table.rows[rows]),
        )
        for rows in _lengths(len(table.rows))
        for columns in _groups(_ROOM - widths[0], widths[1:])
    ]
    return _joined([plain_latex(name, [part]) for part in parts], table.caption, label)


def breakable(text: str) -> str:
    """Return escaped text whose very long words, as paths are, can go over the end of a line."""
    words = []
    for word in text.split():
        # A letter that the fonts lack is printed as its code point, in eight.
        if len(word) + 7 * escape(word).count("{[}U+") <= _UNBROKEN:
            words.append(escape(word))
        else:
            pieces = re.findall(rf"[A-Za-z0-9]{{1,{_UNBROKEN}}}[^A-Za-z0-9]?|.", word)
            words.append(r"\allowbreak{}".join(map(escape, pieces)))
    return " ".join(words)


def _with_names(row: tuple[str, ...], columns: slice) -> tuple[str, ...]:
    return (row[0], *row[1:][columns])


def _longest(texts: Iterable[str]) -> int:
    return max(map(len, texts))


def _lengths(count: int) -> list[slice]:
    return [slice(start, start + ROWS) for start in range(0, max(count, 1), ROWS)]


def _groups(room: int, widths: Sequence[int]) -> list[slice]:
    """Columns that stand in one part: equally many, so that none is left over alone."""
    if not widths:
        return [slice(0, 0)]
    parts = math.ceil(sum(widths) / max(room, *widths))
    size = math.ceil(len(widths) / parts)
    return [slice(start, start + size) for start in range(0, len(widths), size)]


def _joined(parts: Sequence[str], text: str, label: str) -> str:
    long = len(escape(text)) > _CAPTION
    said = "How to read it is said above." if long else breakable(text)
    environments = [rf"How to read Table~\ref{{{label}}}: {breakable(text)}"] if long else []
    for number, part in enumerate(parts, 1):
        if number > 1:
            said = f"Part {number} of {len(parts)}; what is said of the first holds here too."
        environments.append("\n".join(_environment(part, said, label if number == 1 else "")))
    return "\n\n".join(environments) + "\n"


def _environment(latex: str, said: str, label: str) -> Iterator[str]:
    """Put a table where it stands, as a float may wait for ever, and scale it where it must be.

    Args:
        label: "" of a part that continues the table before.
    """
    lines = iter(latex.splitlines())
    for line in lines:
        if line == r"\begin{table}[htbp]":
            yield r"\begin{table}[H]"
            if not label:
                yield r"\ContinuedFloat"
            break
    for line in lines:
        if line.startswith(r"\caption{"):
            yield rf"\caption{{{said}}}"
        elif line.startswith(r"\label{"):
            if label:
                yield rf"\label{{{label}}}"
        elif line.startswith(r"\begin{tabular}"):
            yield from (r"\footnotesize", r"\begin{lrbox}{\obtable}", line)
        elif line == r"\end{tabular}":
            yield from (line, r"\end{lrbox}", r"\obfit")
        else:
            yield line

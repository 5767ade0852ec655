"""Take LaTeX tables apart into lines of cells, as they are typeset."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from omnibench.errors import RequestError

_NAMES = r"(tabular\*?|tabularx|tabulary|longtable|longtabu|tabu|array)"
BEGIN = re.compile(r"\\begin\s*\{" + _NAMES + r"\}")
_END = re.compile(r"\\end\s*\{" + _NAMES + r"\}")
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%[^\n]*")
_HEAD_RULE = re.compile(r"\\(midrule|hline|Xhline|specialrule|endhead|endfirsthead)(?![a-zA-Z])")
_RULES = re.compile(
    r"\\(?:(?:top|mid|bottom)rule|hline|hhline|firsthline|lasthline|endhead|endfirsthead|endfoot|"
    r"endlastfoot|cmidrule|cline|cdashline|hdashline|Xhline|specialrule|addlinespace|morecmidrules|"
    r"noalign)(?![a-zA-Z])(?:\s*(?:\([^)]*\)|\[[^\]]*\]|\{[^{}]*\}))*"
)
_SPAN = re.compile(r"\\multicolumn\s*\{\s*([0-9]+)\s*\}")
_TALL = re.compile(r"\\multirow\s*(?:\[[^\]]*\])?\s*\{\s*(-?[0-9]+)\s*\}")

_MOST_COLUMNS = 1000  # that a column repeated as *{n}{...} stands for


class Line(NamedTuple):
    """A table's line: where it begins in the file, and its cells."""

    number: int
    cells: tuple[str, ...]


def tables(text: str, path: str) -> list[tuple[list[Line], int]]:
    """Return each tabular's lines, and how many of them stand above its first rule inside.

    A cell over several columns or lines stands in each of them.

    Raises:
        RequestError: a tabular does not end, or its braces do not match.
    """
    text = _COMMENT.sub(lambda match: match[1], text)
    return [
        (_joined(lines, _before_signs(columns)), heads)
        for columns, body, number in _bodies(text, path)
        for lines, heads in [_table(body, number, path)]
    ]


def _bodies(text: str, path: str) -> Iterator[tuple[str, str, int]]:
    """Yield each outermost tabular's columns, its content, and the line on which that begins."""
    place = 0
    while begin := BEGIN.search(text, place):
        number = text.count("\n", 0, begin.start()) + 1
        depth, end, place = 1, begin.end(), begin.end()
        while depth:
            opened, closed = BEGIN.search(text, place), _END.search(text, place)
            if closed is None:
                raise RequestError(f"{path}: the tabular that begins on line {number} has no \\end")
            if opened and opened.start() < closed.start():
                depth, place = depth + 1, opened.end()
            else:
                depth, end, place = depth - 1, closed.start(), closed.end()
        start = begin.end()
        columns = ""
        groups = 2 if begin[1] in ("tabular*", "tabularx", "tabulary") else 1
        while groups:
            start += len(text[start:]) - len(text[start:].lstrip())
            if text[start : start + 1] not in ("[", "{"):
                break
            groups -= text[start] == "{"
            opening, start = start, _closing(text, start, path)
            columns = text[opening + 1 : start - 1]
        body = text[start:end]
        yield columns, _flat(body), text.count("\n", 0, start) + 1


def _before_signs(columns: str) -> list[int]:
    """Return the columns that a ± between columns follows, as in "l r@{$\\pm$}l"."""
    while repeated := re.search(r"\*\s*\{([0-9]+)\}\s*\{((?:[^{}]|\{[^{}]*\})*)\}", columns):
        expanded = repeated[2] * min(int(repeated[1]), _MOST_COLUMNS)
        columns = columns[: repeated.start()] + expanded + columns[repeated.end() :]
    parts = re.findall(
        r"[@!><]\s*\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}|"
        r"[a-zA-Z]\s*(?:\[[^\]]*\])?\s*(?:\{[^{}]*\})?",
        columns,
    )
    before: list[int] = []
    count = 0
    for part in parts:
        if part[0].isalpha():
            count += 1
        elif part[0] in "@!" and re.search(r"\\pm(?![a-zA-Z])|±", part):
            before.append(count - 1)
    return before


def _joined(lines: list[Line], before: Sequence[int]) -> list[Line]:
    """Return lines in which a mean and what stands behind its ± are one cell."""
    return [line._replace(cells=tuple(_with_signs(line.cells, before))) for line in lines]


def _with_signs(cells: Sequence[str], before: Sequence[int]) -> Iterator[str]:
    skipped = False
    for index, cell in enumerate(cells):
        if skipped:
            skipped = False
        elif index in before and index + 1 < len(cells):
            size = cells[index + 1]
            yield cell if size in ("", cell) else rf"{cell} $\pm$ {size}"
            skipped = True
        else:
            yield cell


def _flat(body: str) -> str:
    """Return a body whose inner tabulars (lines within a cell) are groups of words."""
    inner = re.compile(BEGIN.pattern + r"\s*(?:\[[^\]]*\])?\s*(?:\{(?:[^{}]|\{[^{}]*\})*\})?")
    return _END.sub("}", inner.sub("{", body))


def _table(body: str, number: int, path: str) -> tuple[list[Line], int]:
    lines: list[Line] = []
    heads = 0
    hanging: dict[int, tuple[int, str]] = {}  # column -> lines still below a tall cell, its text
    for raw in _parts(body, number, path):
        if lines and not heads and _HEAD_RULE.search(raw.cells[0]):
            heads = len(lines)
        source = _RULES.sub("", raw.cells[0])
        if not source.strip():
            continue
        cells: list[str] = []
        for part in _split(source, "&", path, raw.number):
            span = _SPAN.search(part)
            cells += [part.strip()] * (_few(span[1], path, raw.number) if span else 1)
        for column, (left, text) in list(hanging.items()):
            if column < len(cells) and not cells[column]:
                cells[column] = text
            hanging[column] = (left - 1, text)
            if left == 1:
                del hanging[column]
        _hang(cells, lines, hanging, path)
        lines.append(Line(raw.number, tuple(_bare(cell) for cell in cells)))
    return lines, max(heads, 1)


def _few(text: str, path: str, number: int) -> int:
    """Return how many columns or lines a cell reaches over.

    Raises:
        RequestError: no table has so many.
    """
    if len(text) > 4:
        raise RequestError(f"{path}: a cell on line {number} reaches over {text} columns or lines")
    return int(text)


def _hang(
    cells: list[str], lines: list[Line], hanging: dict[int, tuple[int, str]], path: str
) -> None:
    """Note the cells that reach over lines below, and fill in those that reach over lines above."""
    for column, cell in enumerate(cells):
        tall = _TALL.search(cell)
        if not tall:
            continue
        height = _few(tall[1], path, lines[-1].number if lines else 1)
        if height > 1:
            hanging[column] = (height - 1, cell)
        for index in range(len(lines) + height + 1, len(lines)) if height < 0 else ():
            above = list(lines[index].cells) if index >= 0 else []
            if column < len(above) and not above[column]:
                above[column] = _bare(cell)
                lines[index] = Line(lines[index].number, tuple(above))


def _bare(cell: str) -> str:
    """Return a cell's text out of its \\multicolumn and \\multirow."""
    for pattern, groups in ((_SPAN, 2), (_TALL, 2)):
        match = pattern.search(cell)
        if match:
            place = match.end()
            for _ in range(groups):
                opening = re.compile(r"\s*(?:\[[^\]]*\])?\s*(?=[{*])").match(cell, place)
                if opening is None:
                    break
                start = opening.end()
                place = start + 1 if cell[start] == "*" else _closing(cell, start, "")
            content = cell[start:place].strip()
            cell = cell[: match.start()] + content + cell[place:]
    return cell.strip()


def _parts(body: str, number: int, path: str) -> Iterator[Line]:
    """Yield the text between two ends of a line, and the line of the file on which it begins."""
    for part in _split(body, r"\\", path, number):
        start = len(part) - len(part.lstrip())
        yield Line(number + part.count("\n", 0, start), (part.strip(),))
        number += part.count("\n")


def _split(text: str, separator: str, path: str, number: int) -> list[str]:
    """Split at a separator outside braces; an end of a line takes its [skip] with it."""
    parts, depth, start, place = [], 0, 0, 0
    while place < len(text):
        ahead = text[place : place + 2]
        if depth == 0 and text.startswith(separator, place):
            parts.append(text[start:place])
            place += len(separator)
            skip = re.compile(r"\*?\s*\[[^\]\n]*\]").match(text, place)
            place = skip.end() if skip and separator == r"\\" else place
            start = place
        elif depth == 0 and separator == r"\\" and text.startswith(r"\tabularnewline", place):
            parts.append(text[start:place])
            place = start = place + len(r"\tabularnewline")
        elif ahead[:1] == "\\":
            place += 2
        else:
            depth += {"{": 1, "}": -1}.get(text[place], 0)
            if depth < 0:
                break
            place += 1
    if depth:
        raise RequestError(f"{path}: the braces of the table from line {number} on do not match")
    return [*parts, text[start:]]


def _closing(text: str, start: int, path: str) -> int:
    """Return the place behind the group that opens at `start`."""
    pair = {"{": "}", "[": "]"}[text[start]]
    depth, place = 0, start
    while place < len(text):
        if text[place] == "\\":
            place += 1
        else:
            depth += (text[place] == text[start]) - (text[place] == pair)
            if not depth:
                return place + 1
        place += 1
    raise RequestError(
        f"{path}: a group of the LaTeX table is not closed: {text[start : start + 40]}"
    )

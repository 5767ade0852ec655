"""Take a table with models down and datasets or metrics across apart into the columns of rows."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from omnibench.audit.cells import is_absent, is_value
from omnibench.audit.facts import Facts
from omnibench.audit.grids import Grid
from omnibench.audit.headings import (
    MEAN,
    SE,
    STD,
    Heading,
    canonical,
    heading,
    is_score,
    is_spread,
    names_datasets,
    names_models,
)
from omnibench.audit.latex import Line
from omnibench.audit.markup import name, plain
from omnibench.audit.printed import Reading, columns_of, number, place
from omnibench.audit.published import in_order
from omnibench.errors import RequestError


class Entry(NamedTuple):
    """A line of numbers: its name, and its dataset where a column on the left says it."""

    name: str
    dataset: str
    line: Line


def wide_texts(
    grid: Grid, facts: Facts, reading: Reading
) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Yield each number's line, headings and columns.

    Raises:
        RequestError: a cell cannot be read, a line has no name or a column no heading.
    """
    heads, body = _parted(grid)
    columns = list(zip(*(line.cells for line in body), strict=True))
    labels = _label_columns(columns)
    above = [[head.cells[index] for head in heads] for index in range(len(columns))]
    headings = _headings(grid, above, columns, labels, facts, reading)
    across = any(map(names_datasets, above[:labels])) and not any(map(names_models, above[:labels]))
    if across:
        reading.assume(f"table {grid.name} has datasets down and models across")
    spreads = {(top.key, top.part): index for index, top in headings.items() if top.part != MEAN}
    for entry in _entries(grid, body, above[:labels], reading):
        line = entry.line
        for index, top in headings.items():
            if top.part != MEAN:
                continue
            title = _title(above[index])
            cell = number(line.cells[index], grid, line.number, title, entry.name)
            if cell is None:
                continue
            printed = columns_of(cell, facts, reading, place(grid, line.number, title, entry.name))
            for part in (STD, SE):
                beside = spreads.get((top.key, part))
                if beside is not None:
                    size = number(
                        line.cells[beside], grid, line.number, _title(above[beside]), entry.name
                    )
                    printed[part] = size.mean if size else ""
            printed["unit"] = printed["unit"] or top.unit
            dataset = top.dataset or f"table {grid.name}"
            texts = {
                "study": grid.source.stem,
                "table": grid.name,
                "dataset": entry.name if across else entry.dataset or dataset,
                "model": dataset if across else entry.name,
                "role": "rerun",
                "metric": top.metric,
                "definition": top.metric,
                "better": "lower" if top.lower else "higher",
                "primary": "0" if top.overall else "1",
            }
            yield line.number, title, texts | printed


def _title(texts: Sequence[str]) -> str:
    return " / ".join(in_order(filter(None, map(name, texts))))


def _parted(grid: Grid) -> tuple[list[Line], list[Line]]:
    """Part headings from the lines below: those of the format, and further ones of words."""
    heads = min(grid.heads, len(grid.lines))
    corner, *first = grid.lines[0].cells
    if any(mark in cell for mark in ".,±" for cell in first) and all(map(is_value, first)):
        raise RequestError(
            f"{grid.source}: line {grid.lines[0].number} holds numbers where the table needs its "
            "headings: datasets or metrics"
        )
    while 0 < heads < len(grid.lines) and _is_head(grid.lines[heads].cells, corner):
        heads += 1
    body = list(grid.lines[heads:])
    if not body:
        raise RequestError(f"{grid.source}: table {grid.name} has headings and no numbers")
    return list(grid.lines[:heads]), body


def _is_head(cells: Sequence[str], corner: str) -> bool:
    """Tell whether a line below the first is a heading too: of words, and names no model.

    Args:
        corner: the first cell of the first line.
    """
    if corner and cells[0] not in ("", corner):
        return False
    rest = [cell for cell in cells[1:] if not is_absent(cell)]
    like_numbers = any(re.match(r"\W*[0-9]*[.,][0-9]", plain(cell)) for cell in rest)
    return bool(rest) and len(set(cells)) > 1 and not like_numbers and not any(map(is_value, rest))


def _label_columns(columns: Sequence[Sequence[str]]) -> int:
    """Return how many columns on the left hold names: the first, and those after it with words."""
    count = 1
    for column in columns[1:-1]:
        if any(map(is_value, column)) or all(map(is_absent, column)):
            break
        count += 1
    return count


def _headings(
    grid: Grid,
    above: Sequence[Sequence[str]],
    columns: Sequence[Sequence[str]],
    labels: int,
    facts: Facts,
    reading: Reading,
) -> dict[int, Heading]:
    """Return what stands above each column of numbers, by the column's place."""
    headings: dict[int, Heading] = {}
    passed = []
    beside_spreads = any(map(is_spread, above[labels:]))
    for index in range(labels, len(columns)):
        holds_digits = any(any(map(str.isdigit, cell)) for cell in columns[index])
        if is_score(above[index]) and holds_digits:
            headings[index] = heading(above[index], beside_spreads)
        else:
            passed.append(_title(above[index]) or str(index + 1))
    if passed:
        reading.assume(f"table {grid.name}: passed over as no scores: column {', '.join(passed)}")
    for index, top in headings.items():
        title = f"column '{top.dataset or top.metric or index + 1}'"
        if not top.dataset and not top.metric:
            raise RequestError(
                f"{grid.source}: column {index + 1} of table {grid.name} has no heading"
            )
        metric = top.metric or canonical(facts.metric)
        if not metric:
            metric = "score"
            reading.assume(
                f"table {grid.name} names no metric: its numbers are called 'score' (--metric)"
            )
        elif not top.metric:
            reading.assume(f"numbers without a metric are {metric} (--metric)")
        if top.lower and not top.arrow:
            reading.assume(f"less of {metric} is better")
        if top.overall:
            reading.assume(f"{title} averages over others and is compared with nothing")
        headings[index] = replace(top, metric=metric)
    return headings


def _entries(
    grid: Grid, body: Sequence[Line], above: Sequence[Sequence[str]], reading: Reading
) -> list[Entry]:
    """Return the lines of numbers; a line of words alone heads those below it.

    Args:
        above: the headings of the columns of names.
    """
    naming = [index for index, texts in enumerate(above) if is_score(texts)] or [0]
    of_datasets = [index for index in naming if names_datasets(above[index])]
    if len(of_datasets) < len(naming):
        naming = [index for index in naming if index not in of_datasets]
    else:
        of_datasets = []
    section = ""
    entries: list[tuple[Entry, str]] = []
    for line in body:
        words = in_order(filter(None, map(name, line.cells)))
        absent = all(map(is_absent, line.cells[len(above) :]))
        if len(words) == 1 and (absent or len(set(line.cells)) == 1) and not is_value(words[0]):
            section = words[0]
            continue
        label, dataset = (
            " / ".join(in_order(filter(None, (name(line.cells[index]) for index in indices))))
            for indices in (naming, of_datasets)
        )
        if not label:
            raise RequestError(f"{grid.source}: line {line.number} has numbers and no model")
        entries.append((Entry(label, dataset, line), section))
    counts = Counter((entry.name, entry.dataset) for entry, _ in entries)
    for index, (entry, over) in enumerate(entries):
        if over and counts[entry.name, entry.dataset] > 1:
            reading.assume(f"table {grid.name}: models of one name are told apart by '{over}'")
            entries[index] = entry._replace(name=f"{entry.name} ({over})"), over
    return [entry for entry, _ in entries]

"""One's own numbers held to published ones: is each mean where the printed ones expect it?"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from omnibench.audit import published
from omnibench.audit.implied import aggregate, allowed, by_table, claimed_n, implied_n
from omnibench.audit.reading import read_table
from omnibench.audit.reproduction import Prediction, own_margin, predicted
from omnibench.audit.shipped import find_tables
from omnibench.audit.study import FOUR_DECIMALS
from omnibench.report.published import members_of, pooled
from omnibench.report.results import Result, Results
from omnibench.report.table import DASH, Table
from omnibench.report.words import number
from omnibench.states import CellState
from omnibench.stats.result import RefusedError
from omnibench.stats.t_tests import Summary
from omnibench.stats.units import split_decoding

HEADS = ("backbone", "adaptation", "dataset", "metric", "n", "own", "published", "difference")
MOST_ROWS = 42  # that a printed page holds below its caption

Place = tuple[str, str, str, str]  # task, dataset, backbone, adaptation


@dataclass(frozen=True)
class Line:
    """One published number and one's own; own values in the published unit.

    Attributes:
        own: None while it is not finished, and `state` says how it is.
        expected: repetitions that the suite asks for.
        claimed, implied: where one's own mean is expected by the printed numbers, for n as claimed
            and as implied; None where that cannot be told, for the reasons in `refused`.
    """

    row: published.Row
    own: Summary | None
    state: str
    expected: int
    claimed: Prediction | None = None
    implied: Prediction | None = None
    refused: str = ""


@dataclass(frozen=True)
class Reproduced:
    """One published table.

    Attributes:
        lines: of the numbers that the suite asks for.
        printed: all that the study's authors computed.
        implied: the n that the study's numbers imply instead of the one claimed, if any.
    """

    table: str
    lines: tuple[Line, ...]
    printed: tuple[published.Row, ...]
    implied: int | None


def reproduced(
    study: str, tables: Sequence[Results], states: Sequence[CellState]
) -> Iterator[Reproduced]:
    """Yield each published table of a shipped study, with arguments as `reproduction_tables`."""
    everything = [row for path in find_tables(study) for row in read_table(path)]
    claimed, implied = _repetitions(everything)
    by_name = {name: list(group) for name, group in groupby(everything, lambda row: row.table)}
    planned = Counter(_place_of(state) for state in states)
    known = {(table.definition, table.metric): table for table in tables}
    for name, group in by_name.items():
        rows = [row for row in group if row.role != "cited" and row.backbone_id]
        members = members_of(group, by_name)
        lines = tuple(
            _line(row, known.get((row.definition, row.metric)), members, expected, claimed, implied)
            for row in rows
            if (expected := _expected(row, members, planned))
        )
        yield Reproduced(name, lines, tuple(rows), implied)


def _repetitions(rows: Sequence[published.Row]) -> tuple[int | None, int | None]:
    """Return the n that the study claims, and the one that its numbers imply instead, if any."""
    claimed = claimed_n(rows)
    grims = [allowed(row, FOUR_DECIMALS) for row in rows]
    aggregates = [aggregate(row, rows) for row in rows if row.members]
    return claimed, implied_n(claimed, grims, aggregates)


def _place_of(state: CellState) -> Place:
    unit = state.cell.unit
    return unit.task, unit.dataset.id, unit.backbone.id, unit.short


def _expected(row: published.Row, members: Sequence[str], planned: Counter[Place]) -> int:
    """Repetitions that the suite asks for; 0 where an aggregate lacks one of its datasets."""
    datasets = members if row.members else [row.dataset_id]
    return min(planned[row.task, name, row.backbone_id, row.adaptation] for name in datasets)


def _line(
    row: published.Row,
    table: Results | None,
    members: Sequence[str],
    expected: int,
    claimed: int | None,
    implied: int | None,
) -> Line:
    cell = _own(row, table, members)
    if cell is None or cell.state != "done":
        return Line(row, None, cell.state if cell else "missing", expected)
    scale = 100 if row.unit == "percent" else 1
    std = None if cell.std is None else scale * cell.std
    if row.members:  # what its runs and datasets spread is no interval of the mean
        own = Summary(scale * cell.mean, None, cell.n // len(members), row.definition)
        return Line(row, own, "done", expected, refused="its ± is over datasets")
    own = Summary(scale * cell.mean, std, cell.n, row.definition)
    try:
        as_claimed = predicted(own, row.summary(row.n))
    except RefusedError as reason:
        return Line(row, own, "done", expected, refused=str(reason))
    if implied is None or row.n != claimed:
        return Line(row, own, "done", expected, as_claimed)
    return Line(row, own, "done", expected, as_claimed, predicted(own, row.summary(implied)))


def _own(row: published.Row, table: Results | None, members: Sequence[str]) -> Result | None:
    for candidate in table.rows if table else ():
        if (candidate.backbone, candidate.adaptation) == (row.backbone_id, row.adaptation):
            cells = dict(zip(table.columns, candidate.cells, strict=True)) if table else {}
            return pooled(cells, members) if row.members else cells.get(row.dataset_id)
    return None


def reproduction_tables(
    study: str, tables: Sequence[Results], states: Sequence[CellState]
) -> list[Table]:
    """Hold every number of a study that its authors computed to one's own of the same definition.

    Args:
        study: a shipped one.
        tables: one's own, one for each definition (with its decoding) and metric.
        states: of every cell that the suite asks for: what is not finished is listed as missing,
            what the suite does not ask for is counted.
    """
    pages: list[Table] = []
    outside: list[published.Row] = []
    for table in reproduced(study, tables, states):
        if not table.lines:
            outside += table.printed
            continue
        left = len(table.printed) - len(table.lines)
        title = f"Reproduction: {study}, Table {table.table}"
        pages += _pages(title, table.lines, left, table.implied)
    if pages and outside:
        caption = f"{pages[-1].caption} This suite asks for nothing of {by_table(outside)}."
        pages[-1] = replace(pages[-1], caption=caption)
    return pages


def _pages(title: str, lines: Sequence[Line], left: int, implied: int | None) -> Iterator[Table]:
    """Yield tables that fit a page; datasets and decodings are kept together."""
    names = published.in_order(_group(line) for line in lines)
    lines = sorted(lines, key=lambda line: names.index(_group(line)))
    pages: list[list[Line]] = [[]]
    for _, group in groupby(lines, _group):
        more = list(group)
        if pages[-1] and len(pages[-1]) + len(more) > MOST_ROWS:
            pages.append([])
        pages[-1] += more
    heads = (*HEADS, "inside, k claimed", *([f"inside, k = {implied}"] if implied else []))
    for k, page in enumerate(pages, 1):
        part = f" ({k} of {len(pages)})" if len(pages) > 1 else ""
        rows = tuple(_texts(line)[: len(heads)] for line in page)
        yield Table.from_texts(title + part, heads, rows, _caption(page, left, implied))


def _group(line: Line) -> str:
    return f"{line.row.dataset} {split_decoding(line.row.definition)[1]}"


def _texts(line: Line) -> tuple[str, ...]:
    row, own = line.row, line.own
    decoding = split_decoding(row.definition)[1]
    printed = f"{row.mean} ± {row.std}" if row.std else row.mean
    metric = f"{row.metric} {decoding}".strip()
    labels = (row.backbone_id, row.adaptation, row.dataset_id or row.dataset, metric)
    if own is None:
        return (*labels, f"0 of {line.expected}", line.state, printed, DASH, DASH, DASH)
    margin = own_margin(own)
    n = own.n or 0
    return (
        *labels,
        f"{n}" if n >= line.expected else f"{n} of {line.expected}",
        _decimals(own.mean) + (f" ± {_decimals(margin)}" if margin is not None else ""),
        printed,
        number(own.mean - row.value, unit="", signed=True),
        _verdict(line.claimed),
        _verdict(line.implied),
    )


def _verdict(prediction: Prediction | None) -> str:
    if prediction is None:
        return DASH
    return f"{'yes' if prediction.inside else 'no'} (± {_decimals(prediction.margin)})"


def _decimals(value: float) -> str:
    return number(value, unit="")


def _caption(lines: Sequence[Line], left: int, implied: int | None) -> str:
    tested = [line for line in lines if line.claimed]
    claims = published.in_order(str(line.row.n) for line in tested)
    parts = [
        "Own: mean ± half of its 95 % t interval over n repetitions. Published: mean ± std as "
        "printed. Inside: whether the own mean lies within the 95 % prediction interval for the "
        "mean of n new runs, published mean ± t(k - 1) std sqrt(1/k + 1/n) (its half in brackets), "
        "which supposes that own runs vary as the published ones."
    ]
    if tested:
        inside = sum(line.claimed.inside for line in tested if line.claimed)
        parts.append(
            f"{inside} of {len(tested)} are inside with k as claimed ({', '.join(claims)})."
        )
    also = [line.implied for line in lines if line.implied]
    if also:
        inside = sum(prediction.inside for prediction in also)
        parts.append(
            f"{inside} of {len(also)} are inside with k = {implied}, which the published numbers "
            "imply."
        )
    if tested:
        parts.append("Were all reproduced, one in twenty would still lie outside.")
    reasons = Counter(line.refused for line in lines if line.refused)
    for reason, count in reasons.items():
        parts.append(f"{count} cannot be told: {reason}.")
    missing = sum(line.own is None for line in lines)
    parts.append(f"{missing} of {len(lines)} are missing here." if missing else "None is missing.")
    if left:
        parts.append(f"{left} more of the published table are not asked for by this suite.")
    return " ".join(parts)

"""One's own numbers held to published ones: is each mean where the printed ones expect it?"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from omnibench.audit import published
from omnibench.audit.implied import by_table
from omnibench.audit.reproduction import Prediction, own_margin
from omnibench.report.numbers import number
from omnibench.report.plain import PlainTable
from omnibench.report.reproduced import Line, reproduced
from omnibench.report.table import Table
from omnibench.states import CellState
from omnibench.stats.units import split_decoding

DASH = "\N{EN DASH}"
HEADS = ("backbone", "adaptation", "dataset", "metric", "n", "own", "published", "difference")
MOST_ROWS = 42  # that a printed page holds below its caption


def reproduction_tables(
    study: str, tables: Sequence[Table], states: Sequence[CellState]
) -> list[PlainTable]:
    """Hold every number of a study that its authors computed to one's own of the same definition.

    Args:
        study: a shipped one.
        tables: one's own, one for each definition (with its decoding) and metric.
        states: of every cell that the suite asks for: what is not finished is listed as missing,
            what the suite does not ask for is counted.
    """
    found: list[PlainTable] = []
    outside: list[published.Row] = []
    for one in reproduced(study, tables, states):
        if not one.lines:
            outside += one.printed
            continue
        left = len(one.printed) - len(one.lines)
        found += _plain(f"Reproduction: {study}, Table {one.table}", one.lines, left, one.implied)
    if found and outside:
        caption = f"{found[-1].caption} This suite asks for nothing of {by_table(outside)}."
        found[-1] = replace(found[-1], caption=caption)
    return found


def _plain(
    title: str, lines: Sequence[Line], left: int, implied: int | None
) -> Iterator[PlainTable]:
    """Tables that fit a page; datasets and decodings are kept together."""
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
        yield PlainTable(title + part, heads, rows, _caption(page, left, implied))


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
    told = [line for line in lines if line.claimed]
    claims = published.in_order(str(line.row.n) for line in told)
    parts = [
        "Own: mean ± half of its 95 % t interval over n repetitions. Published: mean ± std as "
        "printed. Inside: whether the own mean lies within the 95 % prediction interval for the "
        "mean of n new runs, published mean ± t(k - 1) std sqrt(1/k + 1/n) (its half in brackets), "
        "which supposes that own runs vary as the published ones."
    ]
    if told:
        inside = sum(line.claimed.inside for line in told if line.claimed)
        parts.append(f"{inside} of {len(told)} are inside with k as claimed ({', '.join(claims)}).")
    also = [line.implied for line in lines if line.implied]
    if also:
        inside = sum(prediction.inside for prediction in also)
        parts.append(
            f"{inside} of {len(also)} are inside with k = {implied}, which the published numbers "
            "imply."
        )
    if told:
        parts.append("Were all reproduced, one in twenty would still lie outside.")
    reasons = Counter(line.refused for line in lines if line.refused)
    for reason, count in reasons.items():
        parts.append(f"{count} cannot be told: {reason}.")
    missing = sum(line.own is None for line in lines)
    parts.append(f"{missing} of {len(lines)} are missing here." if missing else "None is missing.")
    if left:
        parts.append(f"{left} more of the published table are not asked for by this suite.")
    return " ".join(parts)

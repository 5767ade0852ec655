"""What a table's cell tells when it is asked: all that its number rests on."""

import math
from collections.abc import Iterator

from omnibench.report.numbers import number, probability
from omnibench.report.page.words import listed
from omnibench.report.table import Cell, Row, Table
from omnibench.stats.pair import FROZEN, Comparison
from omnibench.stats.t_tests import t_tails

SHOWN_DIGESTS = 6


STANDINGS = {
    "tied": "Not told apart from the best mean of its column and adaptation.",
    "behind": "Behind the best mean of its column and adaptation after correction.",
    "untested": "Not tested against the best mean of its column and adaptation.",
}


def details(table: Table, column: str, row: Row, cell: Cell) -> tuple[str, ...]:
    """Return sentences on one cell, in the order of their weight."""
    dataset, metric = table.place(column)
    name = " ".join((row.backbone, row.adaptation, row.decoding)).strip()
    return (f"{name} on {dataset}, {metric}.", *_facts(table, row, cell))


def _facts(table: Table, row: Row, cell: Cell) -> Iterator[str]:
    if cell.state == "unplanned":
        yield "The suite does not ask for this cell."
        return
    if cell.state == "missing":
        yield f"No record of {cell.expected or 'its'} repetitions."
        return
    if cell.state == "failed":
        yield f"None of {cell.expected} repetitions is done; the section on failures says why."
        return
    if row.published:
        claimed = f"n = {cell.n} as claimed" if cell.n else "no n claimed"
        yield f"Published in {table.study} ({row.published}), {claimed}; not computed here."
        yield f"Metric definition: {_definition(table, row)}."
        return
    yield _repetitions(table, row, cell)
    if cell.state == "undefined":
        yield "The metric is undefined in at least one repetition."
    else:
        yield from _standing(table, row, cell)
    if cell.against is not None:
        yield from _comparison(table, cell.against)
    elif row.backbone == table.baseline:
        yield "It is the baseline that the others are compared with."
    if cell.seen:
        yield f"The backbone's pretraining data hold images of its source: {listed(cell.seen)}."
    yield f"Metric definition: {_definition(table, row)}."
    if cell.digests:
        yield _records(cell)


def _definition(table: Table, row: Row) -> str:
    decoding = f", decoding {row.decoding}" if row.decoding else ""
    return f"{row.definition or table.definition}{decoding}"


def _repetitions(table: Table, row: Row, cell: Cell) -> str:
    if table.members:
        return f"n = {cell.n}: all repetitions of {listed(table.members)}."
    if row.varies == "nothing":
        return "n = 1: deterministic, so there is nothing to repeat."
    of = f" of {cell.expected}" if cell.partial else ""
    return f"n = {cell.n}{of} repetitions; {row.varies} varies."


def _standing(table: Table, row: Row, cell: Cell) -> Iterator[str]:
    if cell.rank:
        place = ("Best", "Second")[cell.rank - 1]
        yield f"{place} mean of its column and adaptation, picked on the test images."
    if cell.standing in STANDINGS:
        yield STANDINGS[cell.standing]
    if cell.std and cell.n > 1 and not table.members:
        error = cell.std / math.sqrt(cell.n)
        _, margin = t_tails(cell.mean, error, cell.n - 1)
        low, high = (number(cell.mean + sign * margin, table.unit) for sign in (-1, 1))
        only = f" ({row.varies} only)" if row.varies in FROZEN else ""
        yield f"95 % t interval of the mean over repetitions{only}: {low} to {high} {table.unit}."


def _comparison(table: Table, c: Comparison) -> Iterator[str]:
    if math.isfinite(c.difference):
        difference = number(c.difference, table.unit, signed=True)
        text = f"Difference from {c.backbone_b}: {difference} {table.unit}"
        if math.isfinite(c.low) and math.isfinite(c.high):
            low, high = (number(bound, table.unit, signed=True) for bound in (c.low, c.high))
            text += f", 95 % interval {low} to {high}"
        yield f"{text}."
    if c.test == "none":
        yield f"Not tested: {c.note.rstrip('.')}."
        return
    yield f"Test: {c.test}, two-sided."
    yield (
        f"p {probability(c.p)} raw, p {probability(c.p_corrected)} corrected over {c.family} "
        f"comparison{'s' if c.family != 1 else ''}."
    )
    if math.isfinite(c.effect):
        yield f"Hedges g {c.effect:.2f}."
    if math.isfinite(c.p_seed):
        yield f"Paired t over repetitions (head seed only): p {probability(c.p_seed)}."
    if c.note:
        yield f"{c.note[:1].upper()}{c.note[1:].rstrip('.')}."


def _records(cell: Cell) -> str:
    shown = " ".join(digest[:12] for digest in cell.digests[:SHOWN_DIGESTS])
    more = len(cell.digests) - SHOWN_DIGESTS
    return f"Records: {shown}{f' and {more} more' if more > 0 else ''}."

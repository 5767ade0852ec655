"""Hold each column of published numbers to one unit: percent or fraction, never both."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from omnibench.audit.published import Row, in_order
from omnibench.audit.uncertainty import decimals
from omnibench.errors import RequestError

# Numbers that are no share of anything: neither percent nor fraction.
_NO_SHARE = re.compile(r"hd(95)?|assd|asd|msd|mse|rmse|psnr|fid|nll|loss", re.IGNORECASE)
OWN_UNIT = "its own unit"


def in_one_unit(rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Return rows with the unit of their column where they have none, and what was assumed.

    Numbers without any unit are percent, unless all of a column are 1 or less: then fractions.

    Raises:
        RequestError: units differ in a column, or two numbers cannot be of one scale: both named.
    """
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(_column(row), []).append(row)
    units = {column: _unit(group) for column, group in groups.items()}
    guessed: dict[str, list[str]] = {}
    for column, group in groups.items():
        if not any(row.unit_given for row in group):
            guessed.setdefault(units[column], []).append(group[0].metric)
    united = [
        row if row.unit_given else replace(row, unit=units[_column(row)], unit_given=True)
        for row in rows
    ]
    return united, [
        f"{', '.join(in_order(metrics))} without a unit is in {unit}"
        for unit, metrics in guessed.items()
    ]


def _column(row: Row) -> tuple[str, ...]:
    """Return what a number shares with those it stands beside; an aggregate stands alone."""
    alone = (row.model, row.adaptation) if row.members else ()
    return (row.study, row.table, row.dataset, row.metric, row.definition, *alone)


def _unit(group: Sequence[Row]) -> str:
    given = {row.unit: row for row in group if row.unit_given}
    if len(given) > 1:
        a, b = list(given.values())[:2]
        raise RequestError(f"{_pair(a, b)}: {a.unit} and {b.unit}; write both in one unit")
    unit = next(iter(given), "")
    if not unit and _NO_SHARE.fullmatch(group[0].metric):
        return OWN_UNIT
    if unit not in ("", "percent", "fraction"):
        return unit
    _refuse_two_scales(group)
    small = all(abs(row.value) <= 1 for row in group)
    return unit or ("fraction" if small else "percent")


def _refuse_two_scales(group: Iterable[Row]) -> None:
    """Refuse .801 beside 79.9: times 100 it is of the size of the other numbers.

    0.8 beside 79.9, both said to be percent, is a model that failed.
    """
    ordered = sorted(group, key=lambda row: row.value)
    large = ordered[-1]
    for row in ordered:
        if not (0 < row.value <= 1 and large.value >= 10 and 300 * row.value >= large.value):
            continue
        finer = decimals(row.mean) > decimals(large.mean)
        if finer or not (row.unit_given and large.unit_given):
            raise RequestError(
                f"{_pair(row, large)}: they cannot be of one unit; write both in percent or both "
                "as fractions, and say which (column unit)"
            )


def _pair(a: Row, b: Row) -> str:
    first, second = sorted((a, b), key=lambda row: row.line)
    return (
        f"{a.source}: lines {first.line} and {second.line}: {first.metric} of {first.model} is "
        f"{first.mean} and that of {second.model} {second.mean} on {first.dataset}"
    )

"""What is said of subgroups, as tables and as a CSV."""

import math
from collections.abc import Iterable, Iterator, Sequence

from omnibench.report.subgroups import Subgrouped
from omnibench.report.table import Cell, Column, Row, Table
from omnibench.report.words import bare_probability, listed, number
from omnibench.stats.result import ALPHA, Answer, RefusedError
from omnibench.stats.subgroups import LEAST_CASES, LEAST_PATIENTS, InGroup, Outcome, worst

STEM, TITLE = "subgroups", "Subgroups"
COLUMNS = (
    *("task", "dataset", "definition", "metric", "backbone", "adaptation", "column", "group"),
    *("cases", "patients", "measure", "value", "low", "high", "p", "p_corrected", "note"),
)


def subgroup_tables(tables: Iterable[Subgrouped], lacking: Sequence[str]) -> list[Table]:
    """Return a table for each column of each dataset, and one without rows of what is lacking."""
    made = [subgroup_table(table) for table in tables]
    if lacking:
        made.append(Table.from_texts(TITLE, (), (), " ".join(lacking)))
    return made


def subgroup_table(table: Subgrouped) -> Table:
    """Return a row for each model and group."""
    results, column = table.results, table.grouping.column
    compared = any(row.difference is not None for rows in table.models.values() for row in rows)
    columns = [Column("backbone"), Column("adaptation"), Column(column)]
    columns += [Column("cases", "number", right=True), Column("patients", "number", right=True)]
    columns.append(
        Column(results.metric, "number", falling=table.falling, unit=results.unit, right=True)
    )
    if compared:
        columns += [
            Column(f"difference from {table.baseline}", "number", right=True),
            Column("less that of the rest", "number", right=True),
            Column("p", "number", right=True),
            Column("corrected p", "number", right=True),
        ]
    rows = []
    for model, groups in table.models.items():
        lowest = worst(groups, table.falling)
        for row in groups:
            name = f"{row.group.name} (worst)" if row is lowest else row.group.name
            name = f"{name} (too small)" if row.group.small else name
            patients = None if table.patients is None else row.group.patients
            cells = [*map(Cell, model), Cell(name)]
            cells += [Cell.from_number(n, f"{n:,}") for n in (row.group.cases,)]
            cells.append(Cell.from_number(patients, f"{patients:,}" if patients else ""))
            cells.append(_value(row, results.unit))
            if compared:
                cells += [_spread(row.difference, results.unit)]
                cells += [_spread(row.interaction, results.unit)]
                p = row.interaction.p if isinstance(row.interaction, Answer) else math.nan
                cells += [_probability(p), _probability(row.p_corrected)]
            rows.append(Row(tuple(cells), " · ".join(model)))
    title = f"{TITLE} by {column}: {table.dataset}, {results.metric}"
    decoded = f" ({results.definition})" if "@" in results.definition else ""
    caption = " ".join(_caption(table, compared))
    facets = {"task": (results.task,), "dataset": (table.dataset,), "metric": (results.metric,)}
    return Table(title + decoded, tuple(columns), tuple(rows), caption, labels=3, facets=facets)


def _value(row: InGroup, unit: str) -> Cell:
    if not math.isfinite(row.value):
        return Cell.from_number(None, "")
    if isinstance(row.interval, RefusedError):
        return Cell(_number(row.value, unit), "number", row.value)
    ends = f"{_number(row.interval.low, unit)} to {_number(row.interval.high, unit)}"
    return Cell(f"{_number(row.value, unit)} ({ends})", "number", row.value)


def _spread(outcome: Outcome | None, unit: str) -> Cell:
    if not isinstance(outcome, Answer):
        return Cell.from_number(None, "")
    values = (outcome.difference, outcome.low, outcome.high)
    middle, low, high = (_number(value, unit, signed=True) for value in values)
    return Cell(f"{middle} ({low} to {high})", "number", outcome.difference)


def _number(value: float, unit: str, signed: bool = False) -> str:
    return number(value, unit, signed).replace("-", "\N{MINUS SIGN}")


def _probability(p: float) -> Cell:
    return Cell.from_number(p if math.isfinite(p) else None, bare_probability(p))


def _caption(table: Subgrouped, compared: bool) -> Iterator[str]:
    results, column = table.results, table.grouping.column
    whom = "patients" if table.patients is not None else "cases"
    unknown = "" if table.patients is not None else ", as patients are unknown,"
    yield (
        f"{results.metric} in {results.unit} ({'lower' if table.falling else 'higher'} is better), "
        f"metric definition {results.definition}, mean over repetitions, with its 95 % interval "
        f"for new {whom}{unknown} and new runs (single repetitions for new {whom} alone); not "
        "corrected."
    )
    if table.grouping.edges is not None:
        yield "Bands are half-open: a number that is an edge belongs to the band that it starts."
    yield (
        f"Too small: fewer than {LEAST_CASES} cases or {LEAST_PATIENTS} patients, without an "
        "interval. Worst: of the groups that are not too small, picked on these test images, which "
        "makes it look worse than it is."
    )
    if compared:
        yield from _comparison(table, column)
    for group, classes in table.absent.items():
        yield (
            f"{group} has no case of {listed(classes)}: an AUC is undefined there, and macro-F1 is "
            "over the classes that occur or are predicted."
        )
    yield from _undefined(table)
    yield from table.left


def _comparison(table: Subgrouped, column: str) -> Iterator[str]:
    groups = len(next(iter(table.models.values())))
    tested = any(
        isinstance(row.interaction, Answer) for rows in table.models.values() for row in rows
    )
    yield (
        f"Difference from {table.baseline} within the group, and the interaction: that difference "
        "less the difference in all other test cases. p: two-sided, of no interaction; cases of "
        f"one patient count together across groups. p below {ALPHA:.2f} in one group and "
        "not in another is no interaction."
    )
    if tested:
        yield (
            f"The two groups of {column} mirror each other, so that they are one test, which is "
            "not corrected."
            if groups == 2
            else f"Corrected by Holm over the groups of {column} of one model: its family."
        )


def _undefined(table: Subgrouped) -> Iterator[str]:
    """Yield a sentence for each group and reason why a value or a test is not there."""
    reasons: dict[tuple[str, str], list[str]] = {}
    missing: dict[str, Outcome | None]
    for model, rows in table.models.items():
        for row in rows:
            if not math.isfinite(row.value):
                if row.group.name in table.absent:
                    continue  # said already
                missing = {f"{table.results.metric} is undefined": row.interval}
            elif row.group.small:
                continue
            else:
                missing = {
                    "no interval": row.interval,
                    "no difference": row.difference,
                    "no interaction": row.interaction,
                }
            for what, why in missing.items():
                if isinstance(why, RefusedError):
                    key = (row.group.name, f"{what}, as {why}")
                    reasons.setdefault(key, []).append(" with ".join(model))
    for (group, reason), models in reasons.items():
        yield f"{group}: {reason} ({listed(models)})."


def long_table(tables: Iterable[Subgrouped]) -> Table:
    """Return every number as a row, in full precision; what is undefined says why."""
    cells = []
    for table in tables:
        for model, rows in table.models.items():
            for row in rows:
                facts = _facts(table, model, row)
                for measure, fields in _measures(row):
                    every = {**facts, "measure": measure, **fields}
                    cells.append([Cell("", value=every.get(name)) for name in COLUMNS])
    return Table.from_cells(TITLE, map(Column, COLUMNS), cells)


def _facts(table: Subgrouped, model: tuple[str, str], row: InGroup) -> dict[str, object]:
    return {
        "task": table.results.task,
        "dataset": table.dataset,
        "definition": table.results.definition,
        "metric": table.results.metric,
        "backbone": model[0],
        "adaptation": model[1],
        "column": table.grouping.column,
        "group": row.group.name,
        "cases": row.group.cases,
        "patients": None if table.patients is None else row.group.patients,
    }


def _measures(row: InGroup) -> Iterator[tuple[str, dict[str, object]]]:
    value: dict[str, object] = {"value": row.value}
    yield "value", value | _ends(row.interval)
    for measure, outcome in (("difference", row.difference), ("interaction", row.interaction)):
        if isinstance(outcome, Answer):
            fields: dict[str, object] = {"value": outcome.difference, "p": outcome.p}
            if measure == "interaction":
                fields["p_corrected"] = row.p_corrected
            yield measure, fields | _ends(outcome)
        elif outcome is not None:
            yield measure, {"note": str(outcome)}


def _ends(outcome: Outcome) -> dict[str, object]:
    if isinstance(outcome, RefusedError):
        return {"note": str(outcome)}
    return {"low": outcome.low, "high": outcome.high}

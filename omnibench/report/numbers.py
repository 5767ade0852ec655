"""Numbers with their intervals, as cells of a table and as fields of a CSV."""

import math
from collections.abc import Iterable, Iterator

from omnibench.report.results import Results
from omnibench.report.stored_units import Model
from omnibench.report.table import Cell
from omnibench.report.words import listed, number
from omnibench.stats.result import Answer, RefusedError
from omnibench.stats.shift import Measured
from omnibench.task import POINTS

Number = Measured | RefusedError
INTERVALS = (
    "95 % intervals for new patients (cases, where patients are unknown) and, of several runs, "
    "new runs; not corrected"
)


def ranged_cell(given: Number | None, unit: str = POINTS, signed: bool = False) -> Cell:
    """Return "value (low to high)"; the value alone without an interval, else a dash."""
    if not isinstance(given, Measured) or not math.isfinite(given.value):
        return Cell.from_number(None, "")
    text = printed(given.value, unit, signed)
    if isinstance(given.interval, Answer):
        low, high = (printed(x, unit, signed) for x in (given.interval.low, given.interval.high))
        text += f" ({low} to {high})"
    return Cell(text, "number", given.value)


def printed(value: float, unit: str, signed: bool = False) -> str:
    """Return a value's decimals with a minus sign for a hyphen, and none before zero."""
    text = number(value, unit, signed)
    if not text.strip("+-0."):
        return text.lstrip("+-")
    return text.replace("-", "\N{MINUS SIGN}")


def ends(given: Number) -> dict[str, object]:
    """Return a number's fields in a CSV: value, low and high, or a note on why they lack."""
    if isinstance(given, RefusedError):
        return {"note": str(given)}
    if isinstance(given.interval, RefusedError):
        return {"value": given.value, "note": str(given.interval)}
    return {"value": given.value, "low": given.interval.low, "high": given.interval.high}


def facts_of(results: Results, dataset: str, model: Model) -> dict[str, object]:
    """Return what a row of a CSV is of."""
    return {
        "task": results.task,
        "dataset": dataset,
        "definition": results.definition,
        "metric": results.metric,
        "backbone": model[0],
        "adaptation": model[1],
    }


def refused_sentences(refused: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """Yield a sentence for each thing that lacks and reason, naming whom it is of.

    Args:
        refused: what lacks ("no intervals"), why, and of which model.
    """
    names: dict[tuple[str, str], list[str]] = {}
    for what, why, name in refused:
        names.setdefault((what, why), []).append(name)
    for (what, why), models in names.items():
        yield f"{what[0].upper()}{what[1:]} of {listed(models)}: {why}."

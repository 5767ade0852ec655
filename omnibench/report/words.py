"""Numbers, lists and counts as they are printed; what does not exist is never printed as one."""

import math
import traceback
from collections.abc import Iterable, Mapping, Sequence

from omnibench.contracts import file_of
from omnibench.errors import one_line
from omnibench.stats.deciding import NEW_IMAGES, NEW_RUNS
from omnibench.task import POINTS

UNDEFINED = "undefined"
VERDICTS = {
    "better": "better",
    "worse": "worse",
    "equivalent": "equivalent within the margin",
    "undecided": "undecided",
    "identical": "identical in this metric, patient by patient",
    "described": "described only, as this is not the task's primary metric",
    "untested": "not tested",
}
# Of controls, before their names.
UNTRAINED = "Not trained (random weights are one fixed draw each)"
# What a suite calls a correction -> what a sentence calls it.
CORRECTED = {"holm": "Holm", "benjamini-hochberg": "Benjamini-Hochberg"}


def number(value: float, unit: str = POINTS, signed: bool = False, decimals: int = 2) -> str:
    """Return a value's decimals: of a fraction as points (x 100), of others in their own unit."""
    if not math.isfinite(value):
        return UNDEFINED
    value = (100 * value if unit == POINTS else value) + 0.0  # a zero without a minus sign
    return f"{value:{'+' if signed else ''}.{decimals}f}"


def probability(p: float) -> str:
    """Return p with its relation, without a leading zero: "= .002", "< .001"."""
    if not math.isfinite(p):
        return UNDEFINED
    if p < 0.001:
        return "< .001"
    return f"= {p:.3f}".replace("= 0.", "= .")


def bare_probability(p: float) -> str:
    """Return p as a table prints it, ".002" or "< .001"; "" where it does not exist."""
    return probability(p).removeprefix("= ") if math.isfinite(p) else ""


def listed(parts: Iterable[str], last: str = "and") -> str:
    """Return "a", "a and b", "a, b and c"."""
    texts = list(dict.fromkeys(parts))
    return f" {last} ".join(filter(None, (", ".join(texts[:-1]), *texts[-1:])))


def counted(count: int, noun: str) -> str:
    """Return "1 image", "2 images"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def span(numbers: Iterable[int]) -> str:
    """Return "3", or "2 to 5"."""
    values: Sequence[int] = sorted(numbers)
    low, high = values[0], values[-1]
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def ranged(numbers: Iterable[int], noun: str) -> str:
    """Return "1 backbone", "2 to 5 backbones"."""
    values = list(numbers)
    return f"{span(values)} {noun}{'' if max(values) == 1 else 's'}"


def questions(tests: Iterable[str]) -> str:
    """Return what comparisons are tested for; where that differs, which of them for what."""
    distinct = sorted(set(tests))
    if distinct == [NEW_IMAGES, NEW_RUNS]:
        return f"{NEW_RUNS} (single repetitions for {NEW_IMAGES} alone)"
    return listed(distinct)


def beyond_points(units: Mapping[str, str]) -> list[str]:
    """Return a sentence for each metric that a margin in points does not apply to.

    Args:
        units: metric -> what its values are in.
    """
    return [
        f"The margin is in points; {metric} is in {unit}, so it is left out."
        for metric, unit in units.items()
        if unit != POINTS
    ]


def failure(what: str, function: object, error: Exception) -> str:
    """Return a sentence: what failed, at which line of the function's file, and why."""
    file = file_of(function)
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    where = f"{file}, line {lines[-1]}" if lines else file
    return f"The {what} is left out, as it failed in {where}: {type(error).__name__}: " + one_line(
        error
    )


# Characters that HTML forbids; tab, line feed and carriage return are none of them.
CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "\N{REPLACEMENT CHARACTER}")
for allowed in "\t\n\r":
    del CONTROLS[ord(allowed)]

"""What records say of latency, for columns of the table of costs. No torch here."""

import statistics
from collections.abc import Callable
from typing import Any

from omnibench.report.columns import RowFacts


def timed(cost: str, *path: str) -> Callable[[RowFacts], float | None]:
    """Return what reads the median of a time; of records of several machines there is none.

    Args:
        cost: the part of a record's cost that holds times; path: to a time in it.
    """

    def compute(facts: RowFacts) -> float | None:
        if len(machines(facts, cost)) != 1:
            return None
        values = [_at(record["cost"].get(cost), path) for record in facts.records]
        numbers = [value for value in values if value is not None]
        return statistics.median(numbers) if numbers else None

    return compute


def _at(value: Any, path: tuple[str, ...]) -> float | None:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return float(value) if isinstance(value, int | float) else None


def machines(facts: RowFacts, cost: str) -> list[str]:
    """Return the processors on which a row's times were measured."""
    records = (record for record in facts.records if cost in record["cost"])
    names = (str(record["environment"].get("device", "unknown")) for record in records)
    return list(dict.fromkeys(names))

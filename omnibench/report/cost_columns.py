"""The columns of the report's table of costs."""

import statistics
from collections.abc import Callable
from dataclasses import replace

from omnibench.catalogue import register_column
from omnibench.report.columns import FurtherColumn, RowFacts


def _largest(cost: str) -> Callable[[RowFacts], float | None]:
    return lambda facts: max(facts.costs(cost), default=None)


def _seconds(facts: RowFacts) -> float | None:
    wall = facts.costs("wall_s")
    return sum(wall) if wall else None


def _seconds_each(facts: RowFacts) -> float | None:
    wall = facts.costs("wall_s")
    return sum(wall) / len(wall) if wall else None


def _rate(facts: RowFacts) -> float | None:
    rates = facts.costs("images_per_s")
    return statistics.median(rates) if rates else None


for cost in (
    FurtherColumn("records", "records", lambda facts: len(facts.records), decimals=0),
    FurtherColumn("seconds", "seconds, all", _seconds, decimals=1, falling=True),
    FurtherColumn("seconds-each", "seconds each", _seconds_each, falling=True),
    FurtherColumn("memory", "peak memory", _largest("peak_memory_mb"), "MB", 0, True),
    FurtherColumn("rate", "images/s", _rate, decimals=1),
    FurtherColumn(
        "trained", "trained parameters", _largest("trainable_parameters"), decimals=0, falling=True
    ),
    FurtherColumn(
        "parameters", "parameters", _largest("total_parameters"), decimals=0, falling=True
    ),
):
    register_column(replace(cost, table="costs"))

"""`power`: how many repetitions would decide a suite's comparisons."""

import math
from typing import Any

import pandas as pd

from omnibench.catalogue import tasks
from omnibench.errors import RequestError
from omnibench.frames import units_by_metric, values_of
from omnibench.report.words import beyond_points
from omnibench.scoring import reported_of
from omnibench.session import Places, Session
from omnibench.states import states
from omnibench.stats.power import MOST, repetitions_needed
from omnibench.stats.units import Score, undecoded
from omnibench.task import POINTS
from omnibench.terminal import columns, echo, echo_json

HEADER = (
    "task", "dataset", "adaptation", "metric", "backbone", "n", "seeds", "sd", "detectable",
    "to detect", "to match", "needed", "cautious",
)  # fmt: skip


def power(name: str, margin: float, places: Places, as_json: bool) -> None:
    """Print the repetitions that each backbone needs against the suite's baseline.

    Args:
        margin: the difference that matters, in points of each task's primary metric.

    Raises:
        RequestError: no positive margin, no baseline, or nothing finished.
    """
    if not (margin > 0 and math.isfinite(margin)):
        raise RequestError(f"--margin: {margin:g} is not a number of points above 0")
    session = Session.open(places)
    suite, units = session.suite(name)
    baseline = suite.report.baseline
    if baseline is None:
        raise RequestError(
            f"the suite '{suite.name}' names no baseline to compare with; give it "
            "`report: {baseline: BACKBONE}`"
        )
    store = session.store
    cells = states(units, store)
    records = [(store.path(s.cell), s.record) for s in cells if s.record is not None]
    values = values_of(records, {card.id: card for card in suite.backbones})
    if values[values["backbone"] == baseline].empty:
        raise RequestError(
            f"the suite '{suite.name}' has no finished cell of its baseline '{baseline}' below "
            f"{store.root}; run `bench.py run {name}` first"
        )
    primary = _primary(values)
    in_points = {score for score, unit in primary.items() if unit == POINTS}
    left_out = beyond_points({score[1]: unit for score, unit in primary.items()})
    frame = repetitions_needed(values, baseline, margin / 100, in_points)
    rows = [_points(row) for row in frame.to_dict("records")]
    if as_json:
        plan = {"suite": suite.name, "baseline": baseline, "margin": margin, "rows": rows}
        echo_json({**plan, "left_out": left_out})
    else:
        _print(rows, baseline, margin, left_out)


def _primary(values: pd.DataFrame) -> dict[Score, str]:
    """Return each task's primary metric, in every decoding, and what its values are in."""
    units = units_by_metric(values)
    first = {(name, reported_of(name)[0]) for name in tasks if reported_of(name)}
    rows = zip(values["task"], values["definition"], values["metric"], strict=True)
    return {
        (definition, metric): units.get(undecoded((definition, metric)), POINTS)
        for task, definition, metric in sorted(set(rows))
        if (task, undecoded((definition, metric))) in first
    }


def _points(row: dict[Any, Any]) -> dict[str, Any]:
    """Return a row as JSON takes it: differences in points, counts whole, NaN null."""
    plain: dict[str, Any] = {str(key): value for key, value in row.items()}
    for key in ("sd", "detectable"):
        plain[key] = None if math.isnan(row[key]) else 100 * row[key]
    for key in ("to_detect", "to_match", "needed", "cautious"):
        plain[key] = None if math.isnan(row[key]) else int(row[key])
    return plain


def _print(rows: list[dict[str, Any]], baseline: str, margin: float, left_out: list[str]) -> None:
    planned = [row for row in rows if not row["note"]]
    if planned:
        echo(columns([_shown(row) for row in planned], HEADER))
        echo(
            f"against {baseline}, 80 % power: 'to detect' a difference of {margin:g} points, 'to "
            "match' within it where there is none, 'needed' for either answer; 'cautious' takes "
            "the SD at its upper 80 % limit, for few repetitions tell it poorly"
        )
    for row in rows:
        if row["note"]:
            place = ", ".join(row[key] for key in ("dataset", "adaptation", "metric", "backbone"))
            echo(f"not planned: {place}: {row['note']}")
    for sentence in left_out:
        echo(sentence)
    echo(_sentence(planned, margin))


def _shown(row: dict[str, Any]) -> tuple[str, ...]:
    points = (f"{row[key]:.2f}" for key in ("sd", "detectable"))
    counts = (
        f"> {MOST}" if row[key] is None else str(row[key])
        for key in ("to_detect", "to_match", "needed", "cautious")
    )
    place = (row[key] for key in ("task", "dataset", "adaptation", "metric", "backbone"))
    seeds = "shared" if row["paired"] else "own"
    return (*place, str(row["n"]), seeds, *points, *counts)


def _sentence(planned: list[dict[str, Any]], margin: float) -> str:
    if not planned:
        return "No comparison here is decided by repetitions."
    enough = sum(row["needed"] is not None and row["needed"] <= row["n"] for row in planned)
    counts = [row["needed"] for row in planned]
    most = f"more than {MOST}" if None in counts else str(max(counts))
    return (
        f"{enough} of {len(planned)} comparisons have the repetitions that a margin of {margin:g} "
        f"points needs; all of them take {most}."
    )

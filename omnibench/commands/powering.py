"""`power`: how many repetitions, or test cases, would decide a suite's comparisons."""

import math
from collections.abc import Iterable
from typing import Any

from omnibench.cell import Unit
from omnibench.commands.power_screen import lines
from omnibench.errors import RequestError
from omnibench.frames import predictions_of, units_by_metric, values_of
from omnibench.report.words import beyond_points
from omnibench.scoring import ranking_of
from omnibench.session import Places, Session
from omnibench.states import states
from omnibench.stats.needed import Needed, plan
from omnibench.stats.pair import Place
from omnibench.stats.units import units_of
from omnibench.task import POINTS
from omnibench.terminal import echo, echo_json


def power(name: str, margin: float, places: Places, as_json: bool) -> None:
    """Print what would decide between each backbone and the suite's baseline.

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
    in_units = units_by_metric(values)
    primary = {task: ranking_of(task)[0] for task in values["task"].unique() if ranking_of(task)}
    in_points = {task: key for task, key in primary.items() if in_units.get(key, POINTS) == POINTS}
    others = {key.partition("/")[2]: in_units[key] for key in primary.values() if key in in_units}
    left_out = beyond_points(others)
    rivals = _rivals(units, baseline)
    rows = plan(
        units_of(values), predictions_of(records), baseline, rivals, in_points, margin / 100
    )
    if as_json:
        head = {"suite": suite.name, "baseline": baseline, "margin": margin}
        echo_json({**head, "rows": [_plain(row) for row in rows], "left_out": left_out})
        return
    for line in lines(rows, baseline, margin, left_out):
        echo(line)


def _rivals(units: Iterable[Unit], baseline: str) -> dict[Place, list[str]]:
    """Return the backbones that a suite compares with its baseline, by place."""
    rivals: dict[Place, list[str]] = {}
    for unit in units:
        place = (unit.task, unit.dataset.id, unit.short)
        if unit.backbone.id != baseline:
            rivals.setdefault(place, []).append(unit.backbone.id)
    return rivals


def _plain(row: Needed) -> dict[str, Any]:
    """Return a row as JSON takes it: differences in points, NaN null."""
    plain: dict[str, Any] = {}
    for key, value in vars(row).items():
        if isinstance(value, tuple):  # a study's size
            plain[key] = {"repetitions": value[0], "cases": value[1]}
        else:
            plain[key] = None if isinstance(value, float) and math.isnan(value) else value
    if plain["detectable"] is not None:
        plain["detectable"] = 100 * row.detectable
    return plain

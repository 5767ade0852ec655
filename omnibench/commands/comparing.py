"""`compare`: two backbones wherever both have records."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from omnibench.catalogue import tasks
from omnibench.commands.compare_screen import Rows, Screen
from omnibench.commands.concluding import improvement_words, over_datasets_words
from omnibench.commands.shared_records import shared_records
from omnibench.errors import RequestError
from omnibench.frames import (
    improving_downwards,
    mixed_precisions,
    predictions_of,
    units_by_definition,
    values_of,
)
from omnibench.registry import did_you_mean
from omnibench.report.numbers import POINTS
from omnibench.session import Places, Session
from omnibench.states import Filters
from omnibench.stats.across import by_dataset, overall
from omnibench.stats.compare import compare_pairs
from omnibench.stats.details import details, on_new_runs
from omnibench.stats.pair import Comparison
from omnibench.stats.units import Score, split_decoding, undecoded
from omnibench.task import reported_of
from omnibench.terminal import echo, echo_json


def compare(
    a: str,
    b: str,
    metric: str | None,
    filters: Filters,
    places: Places,
    as_json: bool,
    margin: float | None = None,
) -> None:
    """Compare two backbones on every unit both have records of.

    Args:
        metric: a metric, under every definition it has; "definition/metric", of generated texts
            in every decoding; or "definition@b5-t64/metric". None for what the tasks report.
        margin: of equivalence, in points; told in words only, never in the JSON.

    Raises:
        RequestError: the request cannot be answered; the message says how it could be.
    """
    if margin is not None and not (margin > 0 and math.isfinite(margin)):
        raise RequestError(f"--margin: {margin:g} is not a number of points above 0")
    session = Session.open(places)
    if a == b:
        raise RequestError(f"'{a}' cannot be compared with itself; name another backbone")
    records = shared_records(session.store, a, b, filters)
    if not records:
        known = {record["spec"]["backbone"] for _, record in session.store.all()}
        for name in (a, b):
            if name not in known:
                raise RequestError(
                    f"there is no finished record of a backbone '{name}' below "
                    f"{session.store.root}{did_you_mean(name, known)}"
                )
        raise RequestError(
            f"'{a}' and '{b}' have no dataset, adaptation and recipe in common that the filters "
            "leave; run both in one suite"
        )
    values, predictions = values_of(records, {}), predictions_of(records)
    comparisons = compare_pairs(values, predictions, [(a, b)], _wanted(metric, values))
    downwards = improving_downwards()
    rows, sums = _rows(comparisons), _rows(overall(comparisons, downwards))
    if as_json:
        echo_json({"a": a, "b": b, "rows": rows, "overall": sums})
        return
    units = units_by_definition()
    screen = Screen(
        a=a,
        b=b,
        rows=rows,
        sums=sums,
        details=details(values, comparisons, _margins(comparisons, margin, units), downwards),
        anew=on_new_runs(values, comparisons, predictions),
        words=[_words(a, b, values, rows, downwards) for rows in by_dataset(comparisons).values()],
        units=units,
        margin=margin,
    )
    for (task, dataset), sentence in mixed_precisions(record for _, record in records).items():
        echo(f"{task}, {dataset}: {sentence}")
    for line in screen.lines():
        echo(line)


def _words(
    a: str,
    b: str,
    values: pd.DataFrame,
    rows: Sequence[Comparison],
    downwards: Collection[str],
) -> str:
    chance = improvement_words(a, b, values, rows, rows[0].metric in downwards)
    return "; ".join(filter(None, (chance, over_datasets_words(rows))))


def _margins(
    comparisons: Iterable[Comparison], margin: float | None, units: Mapping[str, str]
) -> dict[str, float]:
    """The margin as a fraction, for the definitions that are in points."""
    if margin is None:
        return {}
    return {
        row.definition: margin / 100
        for row in comparisons
        if units.get(split_decoding(row.definition)[0], POINTS) == POINTS
    }


def _wanted(metric: str | None, values: pd.DataFrame) -> set[Score]:
    """The definitions and metrics that `--metric` names.

    Raises:
        RequestError: no record has any.
    """
    scores = set(zip(values["definition"], values["metric"], strict=True))
    if metric is None:
        reported = {key for name in tasks for key in reported_of(name)}
        return {score for score in scores if undecoded(score) in reported}
    names = {score: _spelled(score, metric) for score in scores}
    wanted = {score for score, name in names.items() if name == metric}
    if not wanted:
        known = sorted(set(names.values()))
        raise RequestError(
            f"--metric: no record has '{metric}'{did_you_mean(metric, known)} "
            f"(there are: {', '.join(known)})"
        )
    return wanted


def _spelled(score: Score, like: str) -> str:
    """A score's name, as far as `like` spells one out."""
    if "/" not in like:
        return score[1]
    return "/".join(score) if "@" in like else undecoded(score)


def _rows(rows: Iterable[Any]) -> Rows:
    """Return dataclasses as JSON takes them: NaN becomes null."""
    return [{name: _plain(value) for name, value in vars(row).items()} for row in rows]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value

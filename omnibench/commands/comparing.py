"""`compare`: two backbones wherever both have records."""

import json
import logging
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from omnibench.catalogue import tasks
from omnibench.commands.compare_screen import (
    Rows,
    Screen,
    improvement_words,
    over_datasets_words,
)
from omnibench.errors import RequestError
from omnibench.frames import (
    improving_downwards,
    mixed_precisions,
    predictions_of,
    units_by_metric,
    values_of,
)
from omnibench.record_files import complaint_about
from omnibench.registry import did_you_mean
from omnibench.scoring import reported_of
from omnibench.session import Places, Session
from omnibench.states import Filters, matching
from omnibench.stats.across import by_dataset, overall
from omnibench.stats.cases import Predictions
from omnibench.stats.compare import compare_pairs
from omnibench.stats.details import Detail, details, on_new_runs
from omnibench.stats.pair import Comparison
from omnibench.stats.units import Score, undecoded
from omnibench.store import RecordStore
from omnibench.task import POINTS
from omnibench.terminal import echo, echo_json

log = logging.getLogger("omnibench")
Records = list[tuple[Path, dict[str, Any]]]


@dataclass(frozen=True)
class Compared:
    """Two backbones, wherever both have finished records.

    Attributes:
        records: paths and contents, of recipes that both were run with.
        values: their long table; predictions: what they stored for their test cases.
        rows: one for each dataset, adaptation and metric.
        margin: of equivalence, in points; None where it was not asked for.
    """

    records: Records
    values: pd.DataFrame
    predictions: Predictions
    rows: list[Comparison]
    margin: float | None

    @classmethod
    def from_records(
        cls,
        a: str,
        b: str,
        metric: str | None,
        filters: Filters,
        session: Session,
        margin: float | None = None,
    ) -> "Compared":
        """Compare two backbones on every unit that both have records of.

        Args:
            metric: a metric, under every definition it has; "definition/metric", of generated
                texts in every decoding; or "definition@b5-t64/metric". None for what tasks report.
            margin: of equivalence, in points.

        Raises:
            RequestError: the request cannot be answered; the message says how it could be.
        """
        if margin is not None and not (margin > 0 and math.isfinite(margin)):
            raise RequestError(f"--margin: {margin:g} is not a number of points above 0")
        if a == b:
            raise RequestError(f"'{a}' cannot be compared with itself; name another backbone")
        records = shared_records(session.store, a, b, filters)
        if not records:
            raise RequestError(_why_none(a, b, session))
        values, predictions = values_of(records, {}), predictions_of(records)
        rows = compare_pairs(values, predictions, [(a, b)], _wanted(metric, values))
        return cls(records, values, predictions, rows, margin)

    def details(self) -> list[Detail]:
        """Return the effect, the chance and the equivalence of each row."""
        margins = _margins(self.values, self.margin)
        return details(self.values, self.rows, margins, improving_downwards(self.values))


def _why_none(a: str, b: str, session: Session) -> str:
    known = {record["spec"]["backbone"] for _, record in session.store.all()}
    for name in (a, b):
        if name not in known:
            return (
                f"there is no finished record of a backbone '{name}' below "
                f"{session.store.root}{did_you_mean(name, known)}"
            )
    return (
        f"'{a}' and '{b}' have no dataset, adaptation and recipe in common that the filters "
        "leave; run both in one suite"
    )


def compare(
    a: str,
    b: str,
    metric: str | None,
    filters: Filters,
    places: Places,
    as_json: bool,
    margin: float | None = None,
) -> None:
    """Print how two backbones compare on every unit that both have records of.

    Args:
        metric, margin: as of `Compared.from_records`; the JSON has nothing of the margin.

    Raises:
        RequestError: the request cannot be answered; the message says how it could be.
    """
    compared = Compared.from_records(a, b, metric, filters, Session.open(places), margin)
    values = compared.values
    downwards = improving_downwards(values)
    rows, sums = _rows(compared.rows), _rows(overall(compared.rows, downwards))
    if as_json:
        echo_json({"a": a, "b": b, "rows": rows, "overall": sums})
        return
    screen = Screen(
        a=a,
        b=b,
        rows=rows,
        sums=sums,
        details=compared.details(),
        anew=on_new_runs(values, compared.rows, compared.predictions),
        words=[
            _words(a, b, values, group, downwards) for group in by_dataset(compared.rows).values()
        ],
        units=units_by_metric(values),
        margin=margin,
    )
    mixed = mixed_precisions(record for _, record in compared.records)
    for (task, dataset), sentence in mixed.items():
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
    chance = improvement_words(
        a, b, values, rows, undecoded((rows[0].definition, rows[0].metric)) in downwards
    )
    return "; ".join(filter(None, (chance, over_datasets_words(rows))))


def _margins(values: pd.DataFrame, margin: float | None) -> dict[Score, float]:
    """Return the margin as a fraction, for the metrics that are in points."""
    if margin is None:
        return {}
    units = units_by_metric(values)
    scores = set(zip(values["definition"], values["metric"], strict=True))
    return {s: margin / 100 for s in scores if units.get(undecoded(s), POINTS) == POINTS}


def _wanted(metric: str | None, values: pd.DataFrame) -> set[Score]:
    """Return the definitions and metrics that `--metric` names.

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
    """Return a score's name, as far as `like` spells one out."""
    if "/" not in like:
        return score[1]
    return "/".join(score) if "@" in like else undecoded(score)


def _rows(rows: Iterable[Any]) -> Rows:
    """Return dataclasses as JSON takes them: NaN becomes null."""
    return [{name: _plain(value) for name, value in vars(row).items()} for row in rows]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def shared_records(store: RecordStore, a: str, b: str, filters: Filters) -> Records:
    """Return finished records of two backbones, of recipes that both were run with.

    Of several recipes of one dataset and adaptation, the one finished last is taken.
    """
    groups: dict[tuple[str, ...], dict[str, dict[str, Records]]] = {}
    for path, record in store.all():
        spec = record["spec"]
        if record["status"] != "done" or spec["backbone"] not in (a, b):
            continue
        adaptations = tasks.get(spec["task"]).adaptations if spec["task"] in tasks else {}
        if spec["adaptation"] not in adaptations:
            continue
        short = spec["short"]
        chosen = (
            (filters.tasks, (spec["task"],)),
            (filters.datasets, (spec["dataset"],)),
            (filters.adaptations, (short, spec["adaptation"])),
        )
        if not all(not globs or matching(names, globs) for globs, names in chosen):
            continue
        kind = {key: value for key, value in spec.items() if key not in ("backbone", "repetition")}
        variant = json.dumps([kind, record["digests"].get("source.dataset")], sort_keys=True)
        place = groups.setdefault((spec["task"], spec["dataset"], short), {})
        place.setdefault(variant, {}).setdefault(spec["backbone"], []).append((path, record))
    shared: Records = []
    for variants in groups.values():
        whole = [{name: _whole(some) for name, some in each.items()} for each in variants.values()]
        both = [records for records in whole if records.get(a) and records.get(b)]
        if both:
            newest = max(both, key=lambda records: _finished([*records[a], *records[b]]))
            shared += [*newest[a], *newest[b]]
    return shared


def _whole(records: Records) -> Records:
    """Leave out records of which a file is damaged or absent, and name them."""
    whole = []
    for path, record in records:
        if complaint := complaint_about(path, record):
            log.warning("%s; its cell is left out", complaint)
        else:
            whole.append((path, record))
    return whole


def _finished(records: Iterable[tuple[Path, dict[str, Any]]]) -> str:
    return max(str(record["finished"]) for _, record in records)

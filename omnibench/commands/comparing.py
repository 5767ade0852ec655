"""`compare`: two backbones wherever both have records."""

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import typer

from omnibench.catalogue import tasks
from omnibench.commands.session import Places, Session, columns, echo_json, matching
from omnibench.errors import RequestError
from omnibench.frames import improving_downwards, predictions_of, units_by_definition, values_of
from omnibench.plan import Filters
from omnibench.registry import did_you_mean
from omnibench.report.numbers import POINTS, number
from omnibench.report.sentences import metric_names
from omnibench.stats.compare import compare_pairs
from omnibench.stats.overall import overall
from omnibench.stats.units import Score, split_decoding, undecoded

Records = list[tuple[Path, dict[str, Any]]]
Rows = list[dict[str, Any]]


def compare(
    a: str, b: str, metric: str | None, filters: Filters, places: Places, as_json: bool
) -> None:
    """Compare two backbones on every unit both have records of.

    Args:
        metric: a metric, under every definition it has; "definition/metric", of generated texts
            in every decoding; or "definition@b5-t64/metric". None for what the tasks report.
    """
    session = Session.open(places)
    if a == b:
        raise RequestError(f"'{a}' cannot be compared with itself; name another backbone")
    records = _shared(session, a, b, filters)
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
    values = values_of(records, {})
    frame = compare_pairs(values, predictions_of(records), [(a, b)], _wanted(metric, values))
    summary = overall(frame[frame["test"] != "none"], improving_downwards())
    rows, sums = _rows(frame), _rows(summary)
    if as_json:
        echo_json({"a": a, "b": b, "rows": rows, "overall": sums})
    else:
        _print(a, b, rows, sums)


def _wanted(metric: str | None, values: pd.DataFrame) -> set[Score]:
    """The definitions and metrics that `--metric` names.

    Raises:
        RequestError: no record has any.
    """
    scores = set(zip(values["definition"], values["metric"], strict=True))
    if metric is None:
        reported = {key for name in tasks for key in tasks.get(name).reported}
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


def _print(a: str, b: str, rows: Rows, sums: Rows) -> None:
    names = metric_names((row["definition"], row["metric"]) for row in rows)
    units = units_by_definition()

    def name(row: dict[str, Any]) -> str:
        return names[row["definition"], row["metric"]]

    def unit(row: dict[str, Any]) -> str:
        return units.get(split_decoding(row["definition"])[0], POINTS)

    shown = [
        (
            row["task"],
            row["dataset"],
            row["adaptation"],
            name(row),
            f"{row['n_a']}/{row['n_b']}",
            *(
                _number(row[key], unit(row))
                for key in ("mean_a", "mean_b", "difference", "low", "high")
            ),
            unit(row),
            row["test"],
            _p(row["p"]),
            _p(row["p_corrected"]),
        )
        for row in rows
    ]
    header = ("task", "dataset", "adaptation", "metric", "n", a, b, "difference", "low", "high")
    typer.echo(columns(shown, (*header, "unit", "test", "p", "p (Holm)")))
    for row in rows:
        if row["test"] == "none":
            place = f"{row['dataset']}, {row['adaptation']}, {name(row)}"
            typer.echo(f"not tested: {place}: {row['note']}")
    for row in sums:
        typer.echo(
            f"{row['adaptation']}, {name(row)}: {a} is ahead on {row['wins']} and behind on "
            f"{row['losses']} of {row['datasets']} datasets, "
            f"{_number(row['mean_difference'], unit(row))} {unit(row)} on average"
        )


def _shared(session: Session, a: str, b: str, filters: Filters) -> Records:
    """Finished records of two backbones, of recipes that both were run with.

    Of several recipes of one dataset and adaptation, the one finished last is taken.
    """
    groups: dict[tuple[str, ...], dict[str, dict[str, Records]]] = {}
    for path, record in session.store.all():
        spec = record["spec"]
        if record["status"] != "done" or spec["backbone"] not in (a, b):
            continue
        if spec["task"] not in tasks:
            continue
        short = tasks.get(spec["task"]).adaptations[spec["adaptation"]].short(spec["options"])
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
        both = [records for records in variants.values() if a in records and b in records]
        if both:
            newest = max(both, key=lambda records: _finished([*records[a], *records[b]]))
            shared += [*newest[a], *newest[b]]
    return shared


def _finished(records: Iterable[tuple[Path, dict[str, Any]]]) -> str:
    return max(str(record["finished"]) for _, record in records)


def _rows(frame: pd.DataFrame) -> Rows:
    """Rows as JSON takes them: NaN becomes null."""
    return [
        {str(key): _plain(value) for key, value in row.items()} for row in frame.to_dict("records")
    ]


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: float | None, unit: str) -> str:
    return "-" if value is None else number(value, unit)


def _p(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"

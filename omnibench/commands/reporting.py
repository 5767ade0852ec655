"""`report`, `compare` and `rescore`: from records to numbers for people."""

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import typer

from omnibench.catalogue import tasks
from omnibench.commands.session import Places, Session, columns, echo_json, matching
from omnibench.errors import RequestError
from omnibench.frames import predictions_of, values_of
from omnibench.plan import Filters, states
from omnibench.registry import did_you_mean
from omnibench.report.build import as_comparisons, build_tables
from omnibench.report.markdown import to_markdown
from omnibench.report.write import write_report
from omnibench.stats.compare import compare_pairs
from omnibench.stats.overall import overall
from omnibench.store import read_predictions, write_atomically
from omnibench.task import score

Records = list[tuple[Path, dict[str, Any]]]


def report(name: str, out: Path | None, places: Places) -> None:
    """Write a suite's tables and print them."""
    session = Session.open(places)
    suite, units = session.suite(name)
    store = session.store
    found = states(units, store)
    records: Records = [
        (store.path(state.cell), state.record) for state in found if state.record is not None
    ]
    if not any(record["status"] == "done" for _, record in records):
        raise RequestError(
            f"the suite '{suite.name}' has no finished cell below {store.root}; "
            f"run `bench.py run {name}` first"
        )
    cards = {card.id: card for card in suite.backbones}
    values = values_of(records, cards)
    predictions = predictions_of(records)
    baseline = suite.report.baseline
    rivals = [card.id for card in suite.backbones if card.id != baseline]
    pairs = [(rival, baseline) for rival in rivals] if baseline else []
    comparisons = compare_pairs(values, predictions, pairs, correction=suite.report.correction)
    expected = pd.DataFrame([{**state.as_dict(), "state": state.state} for state in found])
    tables = build_tables(
        values,
        comparisons,
        expected,
        backbones=[card.id for card in suite.backbones],
        baseline=baseline,
        notes={card.id: card.note for card in suite.datasets.values() if card.note},
        lower_is_better=_lower_is_better(),
    )
    # The printed tables are the task's own choice; the CSV holds every metric there is.
    shown = [t for t in tables if f"{t.definition}/{t.metric}" in tasks.get(t.task).reported]
    keys = {f"{table.definition}/{table.metric}" for table in shown}
    comparisons = comparisons[(comparisons["definition"] + "/" + comparisons["metric"]).isin(keys)]
    folder = out or session.results / "reports" / suite.name
    paths = write_report(suite.name, shown, comparisons, folder, further=tables)
    text = to_markdown(suite.name, shown, as_comparisons(comparisons))
    typer.echo(re.sub(r"\\([\[\]<>])", r"\1", text))  # a terminal needs no escapes
    for path in paths:
        typer.echo(f"written: {path}")


def compare(
    a: str, b: str, metric: str | None, filters: Filters, places: Places, as_json: bool
) -> None:
    """Compare two backbones on every unit both have records of."""
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
    if metric is None:
        wanted = {key for name in tasks for key in tasks.get(name).reported}
        keys = values["definition"] + "/" + values["metric"]
        values = values[keys.isin(wanted)]
    elif metric not in set(values["metric"]):
        known_metrics = sorted(set(values["metric"]))
        raise RequestError(
            f"--metric: no record has '{metric}'{did_you_mean(metric, known_metrics)} "
            f"(there are: {', '.join(known_metrics)})"
        )
    else:
        values = values[values["metric"] == metric]
    falling = _lower_is_better()
    frame = compare_pairs(values, predictions_of(records), [(a, b)])
    summary = overall(frame[frame["test"] != "none"], falling)
    if as_json:
        content = {"a": a, "b": b, "rows": _rows(frame), "overall": _rows(summary)}
        echo_json(content)
        return
    shown = [
        (
            row["task"],
            row["dataset"],
            row["adaptation"],
            row["metric"],
            f"{row['n_a']}/{row['n_b']}",
            *(_points(row[key]) for key in ("mean_a", "mean_b", "difference", "low", "high")),
            row["test"],
            _p(row["p"]),
            _p(row["p_corrected"]),
        )
        for row in _rows(frame)
    ]
    header = ("task", "dataset", "adaptation", "metric", "n", a, b, "difference", "low", "high")
    typer.echo(columns(shown, (*header, "test", "p", "p (Holm)")))
    for row in _rows(frame):
        if row["test"] == "none":
            place = f"{row['dataset']}, {row['adaptation']}, {row['metric']}"
            typer.echo(f"not tested: {place}: {row['note']}")
    for row in _rows(summary):
        typer.echo(
            f"{row['adaptation']}, {row['metric']}: {a} is ahead on {row['wins']} and behind on "
            f"{row['losses']} of {row['datasets']} datasets, "
            f"{_points(row['mean_difference'])} points on average"
        )


def _lower_is_better() -> set[str]:
    """Names of the metrics that improve downwards, of every task."""
    definitions = (d for name in tasks for d in tasks.get(name).definitions.values())
    return {metric for definition in definitions for metric in definition.lower_is_better}


def rescore(name: str, places: Places) -> int:
    """Compute every definition again from stored predictions; returns the exit status."""
    session = Session.open(places)
    _, units = session.suite(name)
    store = session.store
    changed = 0
    done = [state for state in states(units, store) if state.state == "done"]
    for state in done:
        assert state.record is not None
        path = store.path(state.cell)
        task = tasks.get(state.cell.unit.task)
        metrics = {**state.record["metrics"], **score(task.definitions, read_predictions(path))}
        if metrics != state.record["metrics"]:
            record = {**state.record, "metrics": metrics}
            write_atomically(path, json.dumps(record, indent=1, allow_nan=False).encode())
            changed += 1
    typer.echo(f"{name}: {len(done)} records scored, {changed} changed")
    return 0


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


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON takes them: NaN becomes null."""
    return [
        {str(key): _plain(value) for key, value in row.items()} for row in frame.to_dict("records")
    ]


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _points(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"


def _p(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"

"""`report` and `rescore`: from records to numbers for people."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import typer

from omnibench.catalogue import tasks
from omnibench.commands.session import Places, Session
from omnibench.errors import RequestError
from omnibench.files import write_atomically
from omnibench.frames import improving_downwards, predictions_of, units_by_definition, values_of
from omnibench.plan import states
from omnibench.predictions import read_predictions
from omnibench.pretrained import TASK as PRETRAINING
from omnibench.report.build import as_comparisons, build_tables
from omnibench.report.decodings import gather_decodings
from omnibench.report.markdown import to_markdown
from omnibench.report.plain import plain_markdown
from omnibench.report.write import write_report
from omnibench.report.write_latent import write_latent
from omnibench.stats.compare import compare_pairs
from omnibench.stats.units import undecoded
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
    # What a pretraining starts from is no rival of what it makes.
    rated = values[values["task"] != PRETRAINING]
    comparisons = compare_pairs(rated, predictions, pairs, correction=suite.report.correction)
    expected = pd.DataFrame(
        [{**state.as_dict(), "decodings": state.cell.unit.decodings} for state in found]
    )
    tables = build_tables(
        values,
        comparisons,
        expected,
        backbones=[card.id for card in suite.backbones],
        baseline=baseline,
        notes={card.id: card.note for card in suite.datasets.values() if card.note},
        lower_is_better=improving_downwards(),
        in_unit=units_by_definition(),
    )
    # The printed tables are the task's own choice; the CSV holds every metric there is.
    chosen = [
        table
        for task in dict.fromkeys(table.task for table in tables)
        for key in tasks.get(task).reported
        for table in tables
        if (table.task, undecoded((table.definition, table.metric))) == (task, key)
    ]
    keys = {f"{table.definition}/{table.metric}" for table in chosen}
    comparisons = comparisons[(comparisons["definition"] + "/" + comparisons["metric"]).isin(keys)]
    folder = out or session.results / "reports" / suite.name
    shown, further = gather_decodings(chosen), gather_decodings(tables)
    latent = write_latent(name, found, store, session.context("cpu"), folder)
    paths = write_report(suite.name, shown, comparisons, folder, further, latent.tables)
    text = to_markdown(suite.name, shown, as_comparisons(comparisons))
    text += plain_markdown(latent.tables)
    typer.echo(re.sub(r"\\([\[\]<>_])", r"\1", text))  # a terminal needs no escapes
    for path in (*paths, *latent.paths):
        typer.echo(f"written: {path}")


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

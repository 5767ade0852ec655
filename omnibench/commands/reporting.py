"""`report` and `rescore`: from records to numbers for people."""

import re
from dataclasses import replace
from pathlib import Path

from omnibench.context import using_data
from omnibench.errors import RequestError
from omnibench.files import inside, write_atomically
from omnibench.record import as_bytes
from omnibench.record_files import read_predictions
from omnibench.report.document import write_document
from omnibench.report.figures.every import drawings
from omnibench.report.gather import gather
from omnibench.report.markdown import to_markdown
from omnibench.report.plain import plain_markdown
from omnibench.report.write import write_report
from omnibench.report.write_latent import write_latent
from omnibench.report.write_page import FIGURES, write_page
from omnibench.session import Places, Session
from omnibench.states import states
from omnibench.task import score
from omnibench.terminal import echo
from omnibench.tidy import tidy, to_parquet
from omnibench.unregistered import unregistered

TIDY = "results.parquet"


def report(name: str, out: Path | None, places: Places) -> None:
    """Write a suite's tables, figures and page, and print the tables."""
    session = Session.open(places)
    suite, units = session.suite(name)
    store = session.store
    cells = states(units, store)
    if not any(state.state == "done" for state in cells):
        raise RequestError(
            f"the suite '{suite.name}' has no finished cell below {store.root}; "
            f"run `bench.py run {name}` first"
        )
    study = gather(suite, cells, store)
    folder = out or inside(session.results / "reports" / suite.name, session.results)
    inside(folder / FIGURES, folder)
    latent = write_latent(name, cells, store, session.context("cpu"), folder)
    study = replace(study, latent=latent, unregistered=unregistered(units, store))
    tables = [*study.shown, *study.published]
    plain = [*study.across, *latent.tables, *study.reproduction]
    tested = study.correction, study.equivalence
    text = to_markdown(suite.name, tables, study.comparisons, *tested)
    text += plain_markdown(plain)
    echo(re.sub(r"\\([\[\]<>_])", r"\1", text))  # a terminal needs no escapes
    every = [*study.every, *study.published]
    paths = write_report(suite.name, tables, study.comparisons, folder, every, plain, *tested)
    paths.append(folder / TIDY)
    write_atomically(folder / TIDY, to_parquet(tidy(cell.record for cell in cells if cell.record)))
    figures = list(drawings(study))
    *pictures, page = write_page(study, figures, folder)
    if pictures:
        echo(f"written: {len(figures)} figures, as PDF and PNG, in {pictures[0].parent}")
    for path in (*paths, *latent.paths, *write_document(study, figures, folder), page):
        echo(f"written: {path}")
    for lost in study.unregistered:
        echo(f"not registered: {lost}")


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
        with using_data(session.data):
            scores = score(state.cell.unit.task, read_predictions(path))
        metrics = {**state.record["metrics"], **scores}
        if metrics != state.record["metrics"]:
            record = {**state.record, "metrics": metrics}
            write_atomically(path, as_bytes(record))
            changed += 1
    echo(f"{name}: {len(done)} records scored, {changed} changed")
    return 0

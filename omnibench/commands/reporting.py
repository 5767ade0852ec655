"""`report` and `rescore`: from records to numbers for people."""

import shutil
from dataclasses import replace
from pathlib import Path

from omnibench.context import using_data
from omnibench.errors import RequestError
from omnibench.files import inside, write_atomically
from omnibench.record import NEWER, as_bytes
from omnibench.record_files import read_predictions
from omnibench.report.document import write_document
from omnibench.report.figures.drawing import draw_figures
from omnibench.report.gather import gather
from omnibench.report.latent_report import write_latent
from omnibench.report.page.write import FIGURES, make_page, write_page
from omnibench.report.page.write import NAME as PAGE
from omnibench.report.samples.write import FOLDER, write_samples
from omnibench.report.screen import WIDTH, screen
from omnibench.report.words import counted
from omnibench.report.write import write_tables
from omnibench.scoring import score
from omnibench.session import Places, Session
from omnibench.states import states
from omnibench.terminal import echo
from omnibench.tidy import tidy, to_parquet
from omnibench.unregistered import unregistered

TIDY = "results.parquet"


def report(name: str, out: Path | None, places: Places) -> None:
    """Write a suite's tables, figures and page, and print what they answer."""
    session = Session.open(places)
    suite, units = session.suite(name)
    store = session.store
    cells = states(units, store)
    if not any(state.state == "done" for state in cells):
        newer = [s.needs[-1] for s in cells if s.record and s.record["status"] == NEWER]
        way_out = newer[0] if newer else f"run `bench.py run {name}` first"
        raise RequestError(
            f"the suite '{suite.name}' has no finished cell below {store.root}; {way_out}"
        )
    study = gather(suite, cells, store)
    folder = out or inside(session.results / "reports" / suite.name, session.results)
    inside(folder / FIGURES, folder)
    latent = write_latent(name, cells, store, session.context("cpu"), folder)
    study = replace(study, latent=latent, unregistered=unregistered(units, store))
    for line in screen(suite.name, study.answers, shutil.get_terminal_size((WIDTH, 24)).columns):
        echo(line)
    echo()
    paths = [*write_tables(study, folder), *latent.paths]
    paths.append(folder / TIDY)
    write_atomically(folder / TIDY, to_parquet(tidy(cell.record for cell in cells if cell.record)))
    figures = draw_figures(study, folder / FIGURES)
    samples = write_samples(study, folder, session.data, suite.report.thumbnails)
    page = make_page(study, figures, folder, samples)
    paths += [*write_document(study, page, figures, folder), write_page(page, folder)]
    first, *others = sorted(paths, key=lambda path: path.name != PAGE)
    echo(f"written: {first}")
    names = [path.name for path in others]
    if figures.drawings:
        names.append(f"{len(figures.drawings)} figures in {FIGURES}/")
    if samples:
        names.append(f"{counted(len(samples), 'page')} of test cases in {FOLDER}/")
    echo(f"beside it: {', '.join(names)}")
    for sentence in figures.failures:
        echo(sentence)
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

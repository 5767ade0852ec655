"""`report` and `rescore`: from records to numbers for people."""

import os
import shutil
import sys
import textwrap
import webbrowser
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
from omnibench.report.index_page import REPORTS, note_report, write_index
from omnibench.report.latent_report import write_latent
from omnibench.report.page.write import FIGURES, make_page, write_page
from omnibench.report.page.write import NAME as PAGE
from omnibench.report.samples.write import FOLDER, write_samples
from omnibench.report.screen import WIDTH, screen
from omnibench.report.words import counted
from omnibench.report.write import write_tables
from omnibench.scoring import score
from omnibench.session import Places, Session
from omnibench.states import Filters, narrowed, states
from omnibench.store import check_writable
from omnibench.terminal import echo
from omnibench.tidy import tidy, to_parquet
from omnibench.unregistered import unregistered

TIDY = "results.parquet"


def report(
    name: str,
    out: Path | None,
    places: Places,
    filters: Filters | None = None,
    shows: bool = False,
) -> None:
    """Write a suite's tables, figures and page, and print what they answer.

    Args:
        out: the report's folder; None for one below the results, which their index names.
        filters: narrow what is shown, if any; what is tested is the whole suite.
        shows: open the page in a browser.
    """
    session = Session.open(places)
    suite, units = session.suite(name)
    store = session.store
    every = states(units, store)
    words, shown = str(filters or ""), None
    if filters is not None and words:
        shown = {cell.digest for unit in narrowed(suite, filters) for cell in unit.cells}
    cells = [state for state in every if shown is None or state.cell.digest in shown]
    if not any(state.state == "done" for state in cells):
        newer = [s.needs[-1] for s in cells if s.record and s.record["status"] == NEWER]
        if newer:
            way_out = newer[0]
        elif cells and all(state.state == "failed" for state in cells):
            way_out = f"all have failed: `bench.py run {name} --retry-failed` tries them again"
        else:
            way_out = f"run `bench.py run {name}` first"
        raise RequestError(
            f"the suite '{suite.name}' has no finished cell "
            f"{f'that {words} leave ' if words else ''}below {store.root}; {way_out}"
        )
    reports = session.results / REPORTS
    part = "filtered" if words else ""
    folder = out or inside(reports / suite.name / part, session.results)
    check_writable(folder, "--out or --results")
    study = replace(gather(suite, every, store, shown), filters=words)
    if (
        filters is not None and filters.repetitions
    ):  # by subgroup, what is tested would be these repetitions alone
        study = replace(study, subgroups=())
    inside(folder / FIGURES, folder)
    latent = write_latent(name, cells, store, session.context("cpu"), folder)
    study = replace(study, latent=latent, unregistered=unregistered(units, store))
    width = shutil.get_terminal_size((WIDTH, 24)).columns
    for sentence in study.narrowing:
        echo(textwrap.fill(sentence, width))
    for line in screen(suite.name, study.answers, width):
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
    beside = f"beside it: {', '.join(names)}"
    echo(textwrap.fill(beside, width, subsequent_indent="  ", break_on_hyphens=False))
    if out is None:
        note_report(folder, study)
        echo(f"all reports: {write_index(reports)}")
    for sentence in figures.failures:
        echo(sentence)
    for lost in study.unregistered:
        echo(f"not registered: {lost}")
    if shows:
        _open(folder / PAGE)


def _open(page: Path) -> None:
    """Show a page in the browser, or say where it lies."""
    on_screen = sys.platform != "linux" or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()
    if not (on_screen and webbrowser.open(page.absolute().as_uri())):
        echo(f"no browser can be opened here; open {page.absolute()} on a machine with a screen")


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

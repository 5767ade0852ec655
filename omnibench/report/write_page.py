"""Write `report.html`, and the figures that stand in it, into a report's folder."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.files import write_atomically
from omnibench.report.decodings import worth_a_sentence
from omnibench.report.figures import drawing
from omnibench.report.figures.drawing import Drawing
from omnibench.report.page import facts
from omnibench.report.page.grid import Grid, Image
from omnibench.report.page.methods import methods
from omnibench.report.page.pictures import data_address, record_pictures
from omnibench.report.page.render import Page, to_html
from omnibench.report.page.results import comparison_grid, metric_grid, plain_grid
from omnibench.report.page.words import counted, listed
from omnibench.report.sentences import metric_names
from omnibench.report.study import Study
from omnibench.stats.units import split_decoding

NAME, FIGURES = "report.html", "figures"
PIXELS = 120  # of the page for an inch of a figure
_LEFT_OUT = (
    "Of generated texts only the first column of each table is compared here, under the last "
    "decoding; the CSV holds all comparisons."
)


def write_page(study: Study, drawings: Iterable[Drawing], folder: Path) -> list[Path]:
    """Write the page and its figures; return their paths, the page's last.

    Args:
        drawings: of the figures.

    Raises:
        StoreError: a file cannot be written.
    """
    paths: list[Path] = []
    figures: list[Image] = []
    for one in drawings:
        files = drawing.write(one, folder / FIGURES)
        source = data_address(files[-1].read_bytes())
        width = round(PIXELS * one.size[0])
        figures.append(Image(one.title, source, one.alt, one.caption, one.folded, width))
        paths += files
    path = folder / NAME
    write_atomically(path, to_html(make_page(study, folder, figures)))
    return [*paths, path]


def make_page(study: Study, folder: Path, figures: Sequence[Image] = ()) -> Page:
    """Return what the page says.

    Args:
        folder: of the report, where the latent space's picture lies.
    """
    tested = _tested(study)
    said = worth_a_sentence(study.comparisons, study.shown)
    names = metric_names((c.definition, c.metric) for c in said)
    units = {split_decoding(table.definition)[0]: table.unit for table in study.chosen}
    pictures, left_out = record_pictures(study.states, study.store)
    failures = facts.failures(study)
    return Page(
        name=study.name,
        summary=_summary(study),
        results=[metric_grid(table) for table in (*study.shown, *study.published)],
        methods=methods(study, tested),
        comparisons=comparison_grid(said, names, units, study.equivalence) if said else None,
        comparisons_note=_LEFT_OUT if len(said) < len(study.comparisons) else "",
        across=[plain_grid(table) for table in study.across],
        reproduction=[plain_grid(table) for table in study.reproduction],
        figures=figures,
        figures_note=f"Each lies as PDF and PNG in the folder {FIGURES} beside this page.",
        latent=_latent(study, folder),
        pictures=pictures,
        left_out=left_out,
        failures=failures if failures.rows else None,
        data=[facts.datasets(study, tested), facts.backbones(study)],
        costs=facts.costs(study),
        environment=facts.environment(study),
        footer=_footer(study),
    )


def _summary(study: Study) -> list[str]:
    counts = {
        state: sum(one.state == state for one in study.states)
        for state in ("failed", "missing", "blocked")
    }
    lacking = [f"{count} {state}" for state, count in counts.items() if count]
    done = len(study.finished)
    first = f"{done} of {counted(len(study.states), 'cell')} finished"
    first += f"; {', '.join(lacking)}." if lacking else "."
    units = [state.cell.unit for state in study.states]
    parts = [
        counted(len({unit.backbone.id for unit in units}), "backbone"),
        counted(len({unit.dataset.id for unit in units}), "dataset"),
        counted(len({unit.task for unit in units}), "task"),
    ]
    notes = {
        unit.dataset.id: f"{unit.dataset.id}: {unit.dataset.note}"
        for unit in units
        if unit.dataset.note
    }
    return [f"{listed(parts)}. {first}", *notes.values()]


def _footer(study: Study) -> list[str]:
    times = sorted(
        str(record[key])[:10] for _, record in study.finished for key in ("started", "finished")
    )
    when = f"The records were made from {times[0]} to {times[-1]}. " if times else ""
    return [
        f"{when}This page is one file: it holds its pictures and asks nothing of the network. "
        "The same tables lie beside it as LaTeX, CSV and Markdown."
    ]


def _tested(study: Study) -> Mapping[tuple[str, str], int]:
    """How many test cases each task's records of a dataset hold, from one of them."""
    found: dict[tuple[str, str], int] = {}
    for state, record in study.finished:
        key = (state.cell.unit.task, state.cell.unit.dataset.id)
        if key not in found:
            try:
                stored = study.predictions(record["digest"]).arrays
            except StoreError:
                continue
            if "test_case" in stored:
                found[key] = len(stored["test_case"])
    return found


def _latent(study: Study, folder: Path) -> list[tuple[Grid, Image | None]]:
    shown: list[tuple[Grid, Image | None]] = []
    for table in study.latent.tables:
        image = None
        if table.picture:
            alt = f"{table.title}: one panel a backbone, a point for each test image. {table.title}"
            alt += " is measured in the table below."
            content = (folder / f"{table.picture}.png").read_bytes()
            width = round(PIXELS * drawing.WIDTH)
            image = Image(table.title, data_address(content), alt, width=width)
        shown.append((plain_grid(table), image))
    return shown

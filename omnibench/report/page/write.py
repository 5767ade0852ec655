"""Write `report.html`, which holds its pictures and asks nothing of the network."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.files import write_atomically
from omnibench.report.comparisons import comparison_table, left_out, names_of, worth_a_sentence
from omnibench.report.convergence_tables import convergence_tables
from omnibench.report.figures.drawing import WIDTH, Figures
from omnibench.report.label_efficiency_tables import label_efficiency_tables
from omnibench.report.page import facts
from omnibench.report.page.methods import methods
from omnibench.report.page.pictures import Image, data_address, record_pictures
from omnibench.report.page.render import Page, to_html
from omnibench.report.samples.write import Link
from omnibench.report.settings import setting_tables
from omnibench.report.study import Study
from omnibench.report.table import Table
from omnibench.report.words import counted, listed
from omnibench.stats.pair import Comparison

NAME, FIGURES = "report.html", "figures"
PIXELS = 120  # of the page for an inch of a figure


def write_page(page: Page, folder: Path) -> Path:
    """Write the page into a folder and return its path.

    Raises:
        StoreError: the file cannot be written.
    """
    path = folder / NAME
    write_atomically(path, to_html(page))
    return path


def make_page(study: Study, figures: Figures, folder: Path, samples: Sequence[Link] = ()) -> Page:
    """Return what the page says.

    Args:
        figures: drawn into the folder's `FIGURES`.
        folder: of the report, where the latent space's picture lies too.
        samples: pages of test cases that lie beside it.
    """
    tested = _tested(study)
    compared = worth_a_sentence(study.comparisons, study.shown, study.names)
    pictures, left = record_pictures(study.states, study.store)
    failures = facts.failures(study)
    where = f"Each lies as PDF, SVG and PNG in the folder {FIGURES} beside this page."
    return Page(
        name=study.name,
        summary=_summary(study),
        answers=study.answers,
        facets=_facets(study),
        results=study.tables,
        methods=methods(study, tested),
        comparisons=[
            _compared(study, task, [c for c in compared if c.task == task])
            for task in dict.fromkeys(c.task for c in compared)
        ],
        comparison_notes=left_out(study, "compared"),
        across=study.across,
        beyond=study.beyond.tables,
        subgroups=study.subgroup_tables,
        calibration=study.calibration_tables,
        selective=study.selective_tables,
        operating=study.operating_tables,
        convergence=list(convergence_tables(study)),
        settings=list(setting_tables(study)),
        labels=list(label_efficiency_tables(study)),
        reproduction=study.reproduction,
        figures=_images(figures, folder / FIGURES),
        figure_notes=[*([where] if figures.drawings else []), *figures.failures],
        latent=_latent(study, folder),
        pictures=pictures,
        left_out=left,
        samples=samples,
        failures=failures if failures.rows else None,
        data=[facts.datasets(study, tested), facts.backbones(study)],
        costs=facts.costs(study),
        environment=facts.environment(study),
        footer=_footer(study),
    )


def _images(figures: Figures, folder: Path) -> list[Image]:
    return [
        Image(
            drawing.title,
            "",
            drawing.alt,
            drawing.caption,
            drawing.folded,
            round(PIXELS * drawing.size[0]),
            (folder / f"{drawing.stem}.svg").read_text(encoding="utf-8"),
            drawing.facets,
        )
        for drawing in figures.drawings
    ]


def _compared(study: Study, task: str, comparisons: Sequence[Comparison]) -> Table:
    table = comparison_table(comparisons, names_of(comparisons), study.units)
    return replace(table, title=f"{table.title}: {task}", facets={"task": (task,)})


def _facets(study: Study) -> dict[str, Mapping[str, str]]:
    """Return what can be selected and how it is called, where there is a choice."""
    units = [state.cell.unit for state in study.states]
    facets = {
        "task": [unit.task for unit in units],
        "dataset": [unit.dataset.id for unit in units],
        "adaptation": [unit.short for unit in units],
        "metric": [results.metric for results in study.chosen],
    }
    named = {
        facet: {
            value: study.names.dataset(value) if facet == "dataset" else value for value in values
        }
        for facet, values in facets.items()
    }
    return {facet: values for facet, values in named.items() if len(values) > 1}


def _summary(study: Study) -> list[str]:
    counts = {
        state: sum(s.state == state for s in study.states)
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
    return [*study.narrowing, f"{listed(parts)}. {first}", *notes.values()]


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
    """Return how many test cases each task's records of a dataset hold, from one of them."""
    counts: dict[tuple[str, str], int] = {}
    for state, record in study.finished:
        key = (state.cell.unit.task, state.cell.unit.dataset.id)
        if key not in counts:
            try:
                stored = study.predictions(record["digest"]).arrays
            except StoreError:
                continue
            if "test_case" in stored:
                counts[key] = len(stored["test_case"])
    return counts


def _latent(study: Study, folder: Path) -> list[tuple[Table, Image | None]]:
    shown: list[tuple[Table, Image | None]] = []
    for table in study.latent.tables:
        image = None
        if table.picture:
            alt = f"{table.title}: one panel a backbone, a point for each test image. {table.title}"
            alt += " is measured in the table below."
            source = data_address(folder / f"{table.picture}.png")
            image = Image(table.title, source, alt, width=round(PIXELS * WIDTH))
        shown.append((table, image))
    return shown

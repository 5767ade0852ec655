"""How each dataset's models do on the test images of other datasets."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from omnibench.report.numbers import INTERVALS, ranged_cell, refused_sentences
from omnibench.report.results import Results
from omnibench.report.stored_units import Model
from omnibench.report.table import Cell, Column, Row, Table
from omnibench.report.viewed import Finished, Shown, Viewed, finished_units
from omnibench.stats.result import RefusedError
from omnibench.views import External

if TYPE_CHECKING:
    from omnibench.report.study import Study

TITLE = "Other datasets"


def external_tables(study: "Study") -> Iterator[Table]:
    """Yield a table for each dataset whose models were tested on other datasets too."""
    for results in study.primary.values():
        datasets: dict[str, list[Finished]] = {}
        for finished in finished_units(study, results):
            if _others(finished):
                datasets.setdefault(finished.unit.dataset.id, []).append(finished)
        for dataset, units in datasets.items():
            yield _table(study, results, dataset, units)


def _others(finished: Finished) -> list[str]:
    return [view.name for view in finished.unit.views if isinstance(view, External)]


def _table(study: "Study", results: Results, dataset: str, units: list[Finished]) -> Table:
    score = (results.definition, results.metric)
    falling = results.metric in results.lower_is_better
    others = list(dict.fromkeys(name for finished in units for name in _others(finished)))
    columns = [Column("backbone"), Column("adaptation")]
    columns += [
        Column(study.names.dataset(name), "number", falling, results.unit, right=True)
        for name in (dataset, *others)
    ]
    rows, refused = [], list[tuple[str, str, str]]()
    for finished in units:
        model = (finished.unit.backbone.id, finished.unit.short)
        cells = []
        for view in ("", *others):
            if view and view not in _others(finished):
                cells.append(Cell.from_number(None, ""))
                continue
            # Each by itself: patients of one dataset are not those of another.
            viewed = finished.read(score, [view], study.predictions)
            cells.append(ranged_cell(Shown(viewed.reason)(viewed.metrics[view]), results.unit))
            refused += _lacking(viewed, view or dataset, model)
        rows.append(Row((*map(Cell, model), *cells), model[1]))
    caption = (
        f"{results.metric} of models trained on {dataset}, on its test images and on those of "
        f"other datasets: means over repetitions, in brackets {INTERVALS}."
    )
    facets = {"task": (results.task,), "dataset": (dataset,), "metric": (results.metric,)}
    return Table(
        f"{TITLE}: {dataset}, {results.metric}",
        tuple(columns),
        tuple(rows),
        " ".join([caption, *refused_sentences(refused)]),
        labels=2,
        facets=facets,
    )


def _lacking(viewed: Viewed, dataset: str, model: Model) -> Iterator[tuple[str, str, str]]:
    if isinstance(viewed.reason, RefusedError):
        yield f"no interval on {dataset}", str(viewed.reason), " with ".join(model)

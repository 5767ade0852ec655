"""How much models lose on the views of the test images that their adaptations have themselves."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from omnibench.report.numbers import INTERVALS, ranged_cell, refused_sentences
from omnibench.report.results import Results
from omnibench.report.table import Cell, Column, Row, Table
from omnibench.report.viewed import Finished, Shown, finished_units

if TYPE_CHECKING:
    from omnibench.report.study import Study

TITLE = "Predicted again"


def further_tables(study: "Study") -> Iterator[Table]:
    """Yield a table for each dataset whose cells predicted the same test cases on further views."""
    for results in study.primary.values():
        datasets: dict[str, list[Finished]] = {}
        for finished in finished_units(study, results):
            if finished.unit.further_views:
                datasets.setdefault(finished.unit.dataset.id, []).append(finished)
        for dataset, units in datasets.items():
            yield _table(study, results, dataset, units)


def _table(study: "Study", results: Results, dataset: str, units: list[Finished]) -> Table:
    """Return a row a model and view: the metric, that on the view, and their difference."""
    score, unit = (results.definition, results.metric), results.unit
    falling = results.metric in results.lower_is_better
    columns = [Column("backbone"), Column("adaptation"), Column("view")]
    columns += [
        Column(head, "number", falling, unit, right=True) for head in ("as it is", "on the view")
    ]
    columns.append(Column("difference", "number", falling, unit, right=True))
    rows, refused = [], list[tuple[str, str, str]]()
    for finished in units:
        model = (finished.unit.backbone.id, finished.unit.short)
        for view in finished.unit.further_views:
            viewed = finished.read(score, ["", view], study.predictions)
            own, other = viewed.metrics[""], viewed.metrics[view]
            shown = Shown(viewed.reason)
            numbers = [ranged_cell(shown(m), unit) for m in (own, other, other.minus(own))]
            rows.append(Row((*map(Cell, model), Cell(view), *numbers), model[1]))
            if viewed.reason is not None:
                refused.append(("no interval", str(viewed.reason), " with ".join(model)))
    caption = (
        f"{results.metric} on the test cases of {dataset} and on the same cases predicted again "
        f"under each view: means over repetitions, in brackets {INTERVALS}; the difference is that "
        "of the same cases."
    )
    return Table(
        f"{TITLE}: {dataset}, {results.metric}",
        tuple(columns),
        tuple(rows),
        " ".join([caption, *refused_sentences(refused)]),
        labels=3,
        facets={"task": (results.task,), "dataset": (dataset,), "metric": (results.metric,)},
    )

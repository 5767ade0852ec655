"""How many labels models need, as tables and as a CSV."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from omnibench.report.label_efficiency import Budgeted, answers_of, bounds, times
from omnibench.report.table import DASH, Cell, Column, Table
from omnibench.report.words import number
from omnibench.stats.curve_crossing import Crossing
from omnibench.stats.label_efficiency import Bounded, Efficiency, Estimate, as_frame

if TYPE_CHECKING:
    from omnibench.report.study import Study

STEM = "label-efficiency"
PLACE = ("task", "dataset", "definition", "metric", "without_budget")


def label_efficiency_tables(study: "Study") -> Iterator[Table]:
    """Yield a table for each dataset and adaptation with several label budgets."""
    for each in study.budgeted:
        yield study.names.table(_table(study, each))


def _table(study: "Study", each: Budgeted) -> Table:
    unit, metric = each.results.unit, each.results.metric
    labels = _labels(each)
    heads = [f"{budget} ({images})" for budget, images in labels.items()]
    columns = [
        Column("backbone"),
        *(Column(head, "number", falling=each.falling, right=True) for head in heads),
        Column("ALC", "number", falling=each.falling, right=True),
        Column("ALC above chance", "number", right=True),
        Column("labels to the target", "number", falling=True, right=True),
    ]
    if each.rival is not None:
        columns += [
            Column(f"labels of {study.named(each.rival)} for one", "number", right=True),
            Column(f"against {study.named(each.rival)}"),
        ]
    rows = [_row(each, model, list(labels)) for model in each.models]
    reference = study.named(each.target.reference) if each.target.reference else "each model"
    caption = [
        f"{metric} ({unit}, means over repetitions) by the label budget, in brackets training "
        f"images; ALC: the mean height of the curve over log2(labels). The target is {each.aim} "
        f"the {metric} of {reference} with the most labels (chance "
        f"{number(each.target.chance, unit)}); labels to it are read off the curve made monotone, "
        "linear in log2(labels). 95 % intervals are for new patients and new runs, which draw "
        "other images.",
        *answers_of(study, each),
    ]
    notes = {f"{study.named(m.curve.backbone)}: {m.note}." for m in each.models if m.note}
    table = Table.from_cells(
        f"Label efficiency: {each.dataset}, {each.adaptation}, {metric}",
        columns,
        rows,
        " ".join([*caption, *sorted(notes)]),
    )
    facets = {"task": (each.task,), "dataset": (each.dataset,), "metric": (metric,)}
    return replace(table, facets=facets)


def _labels(each: Budgeted) -> dict[str, str]:
    """Return each budget with its number of images, the fewest first."""
    labels: dict[str, float] = {}
    for model in each.models:
        for form, images in zip(model.curve.adaptations, model.curve.labels, strict=True):
            labels.setdefault(each.budgets[form], float(images))
    return {budget: f"{labels[budget]:,.0f}" for budget in sorted(labels, key=labels.__getitem__)}


def _row(each: Budgeted, model: Efficiency, budgets: list[str]) -> list[Cell]:
    unit, curve = each.results.unit, model.curve
    by_budget = {
        each.budgets[form]: point
        for form, point in zip(curve.adaptations, model.points, strict=True)
    }
    area = model.area
    above = replace(
        area, **{k: getattr(area, k) - each.target.chance for k in ("value", "low", "high")}
    )
    cells = [
        Cell(curve.backbone),
        *(_estimate(by_budget.get(budget), unit) for budget in budgets),
        *(_estimate(area, unit), _estimate(above, unit)),
        _needed(model),
    ]
    if each.rival is None:
        return cells
    ratio, course = model.ratio, each.crossings.get(curve.backbone)
    if ratio is None:
        return [*cells, Cell(DASH, "number"), Cell(DASH)]
    interval = f" {bounds(ratio)}" if ratio.low == ratio.low else ""
    value = None if math.isnan(ratio.value) else ratio.value
    return [*cells, Cell(times(ratio) + interval, "number", value), Cell(_course(course))]


def _estimate(estimate: Estimate | None, unit: str) -> Cell:
    if estimate is None or math.isnan(estimate.value):
        return Cell.from_number(None, "")
    cell = Cell.from_number(estimate.value, number(estimate.value, unit))
    if math.isnan(estimate.low):
        return cell
    ends = f"{number(estimate.low, unit)} to {number(estimate.high, unit)}"
    return replace(cell, details=(f"95 % interval {ends}.",))


def _needed(model: Efficiency) -> Cell:
    needed = model.needed
    if needed is None:
        return Cell(DASH, "number")
    interval = f" {bounds(needed)}" if needed.low == needed.low else ""
    value = None if math.isnan(needed.value) else needed.value
    return Cell(_bounded(needed) + interval, "number", value)


def _bounded(needed: Bounded) -> str:
    """Return labels as "31", "at most 5" or "more than 546"."""
    if needed.least == needed.most:
        return f"{needed.least:,.0f}"
    if needed.least == 0:
        return f"at most {needed.most:,.0f}"
    return f"more than {needed.least:,.0f}"


_COURSES = {
    "ahead": "has more at every budget",
    "behind": "has less at every budget",
    "undecided": "undecided",
}


def _course(course: Crossing | str | None) -> str:
    """Return how two curves lie to each other at all budgets at once."""
    if course is None or isinstance(course, str):
        return course or DASH
    if course.course == "crosses":
        return f"crosses at {course.crossed:,.0f} labels"
    return _COURSES[course.course]


def long_table(budgeted: Iterable[Budgeted]) -> Table:
    """Return every number of the curves, a row for each model and budget."""
    frames = [_frame(each) for each in budgeted]
    frame = pd.concat(frames) if frames else pd.DataFrame(columns=list(PLACE))
    rows = [["" if _lacks(value) else str(value) for value in row] for row in frame.to_numpy()]
    return Table.from_texts("Label efficiency", list(map(str, frame.columns)), rows, "")


def _frame(each: Budgeted) -> pd.DataFrame:
    own = each.results
    values = (each.task, each.dataset, own.definition, own.metric, each.adaptation)
    frame = as_frame(each.models)
    for at, (name, value) in enumerate(zip(PLACE, values, strict=True)):
        frame.insert(at, name, value)
    return frame


def _lacks(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)

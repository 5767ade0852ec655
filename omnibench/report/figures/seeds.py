"""Every repetition's value, because a mean of few seeds hides much."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from omnibench.report.figures.drawing import (
    LEFT,
    ROW,
    WIDTH,
    Drawing,
    Figure,
    rounded,
    row_axis,
    shortened,
)
from omnibench.report.figures.looks import Looks
from omnibench.report.results import Results
from omnibench.report.study import Study
from omnibench.task import POINTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MOST_DATASETS = 4  # a figure; more of them are further figures
MOST_FIGURES = 2  # a task
MOST_ROWS = 60

Name = tuple[str, str]  # backbone, adaptation


def seed_scatters(study: Study) -> Iterator[Drawing]:
    """Yield figures for each task's first metric where some unit has several repetitions."""
    for results in study.primary.values():
        columns = _repetitions(results, study.values)
        datasets = [
            name for name, units in columns.items() if any(len(v) > 1 for v in units.values())
        ]
        for part in range(min(MOST_FIGURES, -(-len(datasets) // MOST_DATASETS))):
            start = part * MOST_DATASETS
            some = {name: columns[name] for name in datasets[start : start + MOST_DATASETS]}
            left = len(datasets) - MOST_DATASETS * MOST_FIGURES
            yield _scatter(study.looks, results, some, part, max(0, left))


def _repetitions(results: Results, values: pd.DataFrame) -> dict[str, dict[Name, list[float]]]:
    some = values[
        (values["task"] == results.task)
        & (values["definition"] == results.definition)
        & (values["metric"] == results.metric)
    ].dropna(subset=["value"])
    scale = 100.0 if results.unit == POINTS else 1.0
    columns: dict[str, dict[Name, list[float]]] = {}
    cells = (some[name] for name in ("dataset", "backbone", "adaptation", "value"))
    for dataset, backbone, adaptation, value in zip(*cells, strict=True):
        units = columns.setdefault(dataset, {})
        units.setdefault((backbone, adaptation), []).append(rounded(scale * value))
    return columns


def _scatter(
    looks: Looks,
    results: Results,
    columns: dict[str, dict[Name, list[float]]],
    part: int,
    left: int,
) -> Drawing:
    there = {name for units in columns.values() for name in units}
    names = [name for row in results.rows if (name := (row.backbone, row.adaptation)) in there]
    places = {name: y for y, name in enumerate(dict.fromkeys(names[:MOST_ROWS]))}

    def draw(figure: "Canvas") -> None:
        grid: Any = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
        for axes, (dataset, units) in zip(grid, columns.items(), strict=True):
            for name, y in places.items():
                values = units.get(name)
                if not values:
                    continue
                axes.plot([sum(values) / len(values)] * 2, [y - 0.35, y + 0.35], color="0.5")
                axes.plot(
                    values,
                    [y] * len(values),
                    linestyle="",
                    markerfacecolor="none",
                    markersize=4.5,
                    **looks.style(name[0]),
                )
            row_axis(axes, [" · ".join(name) for name in places])
            axes.set_title(shortened(dataset, 24))
        figure.supxlabel(f"{results.metric} ({results.unit})", fontsize=8)

    cut = f" The first {MOST_ROWS} of {len(names)} rows are shown." if names[MOST_ROWS:] else ""
    cut += f" {left} further datasets are left out." if left else ""
    return Drawing(
        stem=f"seeds-{results.task}{f'-{part + 1}' if part else ''}",
        title=f"Every repetition: {results.title}{f' ({part + 1})' if part else ''}",
        alt=f"Scatter of {results.metric} of every repetition on {', '.join(columns)}, a row for "
        "each backbone and adaptation; the results above give means and spreads.",
        caption="A marker is one repetition, a bar their mean. What varies between repetitions is "
        f"said below the table of results. Definition {results.definition}.{cut}",
        size=(max(WIDTH, LEFT + 1.8 * len(columns)), 0.9 + ROW * len(places)),
        data={
            "values": [
                [name, [[*k, v] for k, v in units.items()]] for name, units in columns.items()
            ],
            "metric": results.metric,
            "unit": results.unit,
            "rows": [list(name) for name in places],
            "looks": looks.places(backbone for backbone, _ in places),
        },
        draw=draw,
        facets={"task": (results.task,), "metric": (results.metric,), "dataset": tuple(columns)},
    )


FIGURE = Figure("seeds", "Every repetition", seed_scatters, place=30)

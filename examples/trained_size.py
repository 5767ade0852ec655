"""A figure from outside: each task's first metric against how many parameters were trained for it.

    omnibench report SUITE --plugin trained_size.py

It appears in report.html and report.tex, and as PDF, SVG and PNG in the report's `figures/`.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from omnibench import Drawing, Figure, Study, register_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

Points = list[tuple[str, int, float]]  # what it is, parameters, value


def drawings(study: Study) -> Iterator[Drawing]:
    """Yield a drawing for each task and dataset that has something to show."""
    trained = {}
    for state, record in study.finished:
        unit = state.cell.unit
        place = (unit.task, unit.dataset.id, unit.backbone.id, unit.short)
        trained[place] = record["cost"].get("trainable_parameters")
    for task, results in study.primary.items():
        for dataset in results.columns:
            scale = 100 if results.unit_of(dataset) == "points" else 1
            points: Points = [
                (f"{row.backbone} {row.adaptation}", count, round(scale * cell.mean, 4))
                for column, row, cell in results.cells
                if column == dataset and cell.state == "done"
                if (count := trained.get((task, dataset, row.backbone, row.adaptation)))
            ]
            if points:
                label = f"{results.metric} ({results.unit_of(dataset)})"
                yield drawing(f"trained-size-{task}-{dataset}", label, points)


def drawing(stem: str, label: str, points: Points) -> Drawing:
    """Return a drawing; it is drawn again only where `data` differ from what lies there."""

    def draw(canvas: "Canvas") -> None:
        axes: Any = canvas.subplots()
        for name, count, value in points:
            axes.plot([count], [value], "o", label=name)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set_xlabel("trained parameters")
        axes.set_ylabel(label)
        axes.legend(frameon=False)

    return Drawing(
        stem=stem,
        title=f"{label} against trained parameters",
        alt=f"{label}: " + "; ".join(f"{name} {value}" for name, _, value in points),
        caption="Means over repetitions.",
        size=(5, 3.5),
        data={"label": label, "points": points},
        draw=draw,
    )


register_figure(Figure("trained-size", "Trained parameters", drawings))

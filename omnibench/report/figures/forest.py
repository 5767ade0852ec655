"""Paired differences from the baseline with their intervals."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from omnibench.report.figures.drawing import ROW, WIDTH, Drawing, Figure, rounded, row_axis
from omnibench.report.results import Results
from omnibench.report.study import Study
from omnibench.report.words import counted
from omnibench.stats.across import Overall
from omnibench.stats.pair import Comparison
from omnibench.task import POINTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MOST = 60

Shown = Comparison | Overall


def forests(study: Study) -> Iterator[Drawing]:
    """Yield one figure for each task that has tests of its primary metric."""
    for task, results in study.primary.items():
        comparisons = [
            c
            for c in study.comparisons
            if (c.task, c.definition, c.metric) == (task, results.definition, results.metric)
            and math.isfinite(c.low)
            and math.isfinite(c.high)
        ]
        if len(comparisons) > MOST:
            means = [
                o
                for o in study.overall
                if (o.task, o.definition, o.metric) == (task, results.definition, results.metric)
                and math.isfinite(o.low)
                and math.isfinite(o.high)
            ]
            yield _forest(study, results, means or comparisons)
        elif comparisons:
            yield _forest(study, results, comparisons)


def _difference(shown: Shown) -> float:
    return shown.difference if isinstance(shown, Comparison) else shown.mean_difference


def _where(shown: Shown) -> str:
    if isinstance(shown, Comparison):
        return shown.dataset
    return f"mean of {counted(shown.datasets, 'dataset')}"


def _forest(study: Study, results: Results, comparisons: Sequence[Shown]) -> Drawing:
    scale = 100.0 if results.unit == POINTS else 1.0
    shown = comparisons[:MOST]
    rows: list[dict[str, Any]] = [
        {
            "backbone": c.backbone_a,
            "place": study.looks.place(c.backbone_a),
            "name": f"{c.backbone_a} · {c.adaptation} · {_where(c)}",
            "values": [rounded(scale * v) for v in (c.low, _difference(c), c.high)],
            "marked": c.verdict in ("better", "worse"),
        }
        for c in shown
    ]
    margin = study.margin if results.unit == POINTS else None

    def draw(figure: "Canvas") -> None:
        axes = figure.subplots()
        if margin is not None:
            axes.axvspan(-margin, margin, color="0.9", label="declared margin")
        axes.axvline(0, color="0.3", linewidth=0.8)
        for y, row in enumerate(rows):
            low, middle, high = row["values"]
            look = study.looks.style(row["backbone"])
            face = look["color"] if row["marked"] else "white"
            axes.plot([low, high], [y, y], color=look["color"], linewidth=1.2)
            axes.plot([middle], [y], markerfacecolor=face, markersize=5, **look)
        row_axis(axes, [row["name"] for row in rows])
        axes.set_xlabel(f"{results.metric}: difference from {study.baseline} ({results.unit})")

    what = "Difference"
    if comparisons and not isinstance(comparisons[0], Comparison):
        what = "Mean difference over these datasets"
    apart = sum(row["marked"] for row in rows)
    left = f" The first {MOST} of {len(comparisons)} are shown." if len(comparisons) > MOST else ""
    band = f" Grey: the declared margin of {margin:g} points." if margin is not None else ""
    return Drawing(
        stem=f"forest-{results.task}",
        title=f"Differences from {study.baseline}: {results.title}",
        alt=f"Forest plot of {counted(len(rows), 'difference')} of {results.metric} from "
        f"{study.baseline}, with 95 % intervals; corrected p below .05: {apart} of {len(rows)}. "
        "The tables of comparisons give the numbers.",
        caption=f"{what} with its 95 % interval for new images and new runs, not corrected for "
        "the number of comparisons; "
        f"filled where the corrected p is below .05. Definition {results.definition}.{band}{left}",
        size=(WIDTH, 0.7 + ROW * len(rows)),
        data={
            "rows": rows,
            "metric": results.metric,
            "unit": results.unit,
            "baseline": study.baseline,
            "margin": margin,
        },
        draw=draw,
        facets={"task": (results.task,), "metric": (results.metric,)},
    )


FIGURE = Figure("forest", "Differences from the baseline", forests, place=10)

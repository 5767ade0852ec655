"""Reliability of each class's probabilities, against all other classes."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from omnibench.report.figures.drawing import Drawing, Figure, legend, rounded, shortened
from omnibench.report.figures.looks import Looks
from omnibench.report.figures.panels import grid_of, panels
from omnibench.report.stored_units import StoredUnits, some_models
from omnibench.report.study import Study
from omnibench.stats.calibration import columns_of, probabilities
from omnibench.stats.cases import Cases
from omnibench.stats.reliability import CURVE_BINS, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

MOST_CLASSES = 12
ACROSS, PANEL = 3, 2.2  # panels a row, and their inches


def class_reliability(study: Study) -> Iterator[Drawing]:
    """Yield a figure for each dataset with logits, a panel a class.

    It is of the adaptation that most backbones were run with.
    """
    for units, models, omitted in some_models(study):
        counts = Counter(adaptation for _, adaptation in models)
        ((adaptation, _),) = counts.most_common(1)
        some = {
            backbone: cases for (backbone, short), cases in models.items() if short == adaptation
        }
        others = ", ".join(sorted(set(counts) - {adaptation}))
        omitted += f" Of the same models with {others}, only the table is made." if others else ""
        yield _reliability(study.looks, units, adaptation, some, omitted)


def _reliability(
    looks: Looks,
    units: StoredUnits,
    adaptation: str,
    models: Mapping[str, Cases],
    omitted: str,
) -> Drawing:
    first = next(iter(models.values())).logits
    assert first is not None
    names = units.names(first.values.shape[2])
    columns = list(columns_of(first))[:MOST_CLASSES]
    sizes = {k: int(first.truth[:, k].sum()) for k in columns}
    titles = {k: f"{shortened(names[k], 30)} ({sizes[k]} cases)" for k in columns}
    lines = {backbone: _lines(cases, columns) for backbone, cases in models.items()}

    def draw(figure: "Canvas") -> None:
        x, y = "probability", "share of cases"
        grid = panels(figure, len(columns), ACROSS, x, y, sharex=True, sharey=True)
        for axes, k in zip(grid, columns, strict=True):
            _panel(axes, {name: line[k] for name, line in lines.items()}, looks)
            axes.set_title(titles[k], fontsize=7)
        legend(figure, handles=looks.keys(grid[0], list(models)), labels=list(models))

    undefined = [names[k] for k in columns if not sizes[k]]
    without = f" Undefined, for want of a test case: {', '.join(undefined)}." if undefined else ""
    further = len(columns_of(first)) - len(columns)
    cut = f" {further} further classes are left out." if further else ""
    each = "label" if first.multi_label else "class against the rest"
    down, across = grid_of(len(columns), ACROSS)
    return Drawing(
        stem=f"class-reliability-{units.task}-{units.dataset.id}-{adaptation}",
        title=f"Reliability by class: {units.dataset.id}, {adaptation}",
        alt=f"Share of cases against predicted probability of each {each} on {units.dataset.id}, "
        f"of {', '.join(models)}.",
        caption=f"Of each {each}: the share of cases that are of it against their mean "
        f"probability, in at most {CURVE_BINS} bins of about equally many cases, pooled over "
        "repetitions. Bars: Wilson's 95 % interval with each case counted once, cases taken as "
        "independent. Below the diagonal the class is predicted more often than it occurs."
        f"{without}{cut}{omitted}",
        size=(
            max(4.5, PANEL * across + 0.6),
            PANEL * down + 0.4 + 0.15 * len(models),
        ),
        data={
            "lines": list(lines.items()),
            "titles": list(titles.values()),
            "looks": looks.places(models),
        },
        draw=draw,
        folded=True,
        facets={"task": (units.task,), "dataset": (units.dataset.id,), "adaptation": (adaptation,)},
    )


def _lines(cases: Cases, columns: Sequence[int]) -> dict[int, list[list[float]]]:
    """Return probability, share, low and high of each bin by class; none of one without cases."""
    assert cases.logits is not None
    lines: dict[int, list[list[float]]] = {}
    for k in columns:
        truth = cases.logits.truth[:, k]
        lines[k] = []
        if truth.any():
            made = points(probabilities(cases.logits, k), truth)
            parts = zip(made.probability, made.share, made.low, made.high, strict=True)
            lines[k] = [[rounded(x, 4) for x in part] for part in parts]
    return lines


def _panel(axes: "Axes", lines: Mapping[str, Sequence[Sequence[float]]], looks: Looks) -> None:
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
    for backbone, line in lines.items():
        if not line:
            continue
        xs, ys, lows, highs = zip(*line, strict=True)
        axes.vlines(xs, lows, highs, color=looks.colour(backbone), linewidth=0.7, alpha=0.6)
        axes.plot(xs, ys, markersize=3, linewidth=0.9, **looks.style(backbone))
    if not any(lines.values()):
        axes.text(0.5, 0.5, "no test case", ha="center", fontsize=7)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.grid(alpha=0.3, linewidth=0.5)


FIGURE = Figure("class-reliability", "Reliability by class", class_reliability, place=52)

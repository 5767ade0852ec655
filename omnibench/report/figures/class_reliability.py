"""Reliability of each class's probabilities, against all other classes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from omnibench.report.figures.drawing import (
    Drawing,
    Figure,
    colour,
    keys,
    legend,
    marker,
    rounded,
    shortened,
)
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
    """Yield a figure for each dataset with logits and each adaptation, a panel a class."""
    for units, models, omitted in some_models(study):
        for adaptation in dict.fromkeys(adaptation for _, adaptation in models):
            some = {
                backbone: cases
                for (backbone, short), cases in models.items()
                if short == adaptation
            }
            yield _reliability(units, adaptation, some, omitted)


def _reliability(
    units: StoredUnits, adaptation: str, models: Mapping[str, Cases], omitted: str
) -> Drawing:
    first = next(iter(models.values())).logits
    assert first is not None
    names = units.names(first.values.shape[2])
    columns = list(columns_of(first))[:MOST_CLASSES]
    sizes = {k: int(first.truth[:, k].sum()) for k in columns}
    titles = {k: f"{shortened(names[k], 30)} ({sizes[k]} cases)" for k in columns}
    lines = {backbone: _lines(cases, columns) for backbone, cases in models.items()}

    def draw(figure: "Canvas") -> None:
        across = min(ACROSS, len(columns))
        down = -(-len(columns) // across)
        grid: Any = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
        for axes, k in zip(grid.flat, columns, strict=False):
            _panel(axes, [line[k] for line in lines.values()])
            axes.set_title(titles[k], fontsize=7)
        for axes in grid.flat[len(columns) :]:
            axes.set_axis_off()
        for axes in grid[-1]:
            axes.set_xlabel("probability")
        for axes in grid[:, 0]:
            axes.set_ylabel("share of cases")
        legend(figure, handles=keys(grid.flat[0], len(models)), labels=list(models))

    undefined = [names[k] for k in columns if not sizes[k]]
    without = f" Undefined, for want of a test case: {', '.join(undefined)}." if undefined else ""
    further = len(columns_of(first)) - len(columns)
    cut = f" {further} further classes are left out." if further else ""
    each = "label" if first.multi_label else "class against the rest"
    down = -(-len(columns) // ACROSS)
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
            max(4.5, PANEL * min(ACROSS, len(columns)) + 0.6),
            PANEL * down + 0.4 + 0.15 * len(models),
        ),
        data={"lines": list(lines.items()), "titles": list(titles.values())},
        draw=draw,
        folded=True,
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


def _panel(axes: "Axes", lines: Sequence[Sequence[Sequence[float]]]) -> None:
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
    for index, line in enumerate(lines):
        if not line:
            continue
        xs, ys, lows, highs = zip(*line, strict=True)
        axes.vlines(xs, lows, highs, color=colour(index), linewidth=0.7, alpha=0.6)
        axes.plot(xs, ys, f"{marker(index)}-", color=colour(index), markersize=3, linewidth=0.9)
    if not any(lines):
        axes.text(0.5, 0.5, "no test case", ha="center", fontsize=7)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.grid(alpha=0.3, linewidth=0.5)


FIGURE = Figure("class-reliability", "Reliability by class", class_reliability, place=52)

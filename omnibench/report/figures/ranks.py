"""Critical-difference diagrams: mean ranks over datasets, and who is told apart from whom."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from omnibench.report.across import MOST, tests
from omnibench.report.complete import Complete, subject
from omnibench.report.figures.drawing import ROW, WIDTH, Drawing, Figure, rounded, shortened
from omnibench.report.figures.looks import Looks
from omnibench.report.study import Study
from omnibench.report.words import CORRECTED
from omnibench.stats.ranks import (
    critical_difference,
    friedman,
    groups_by_nemenyi,
    groups_by_pairs,
    ranks,
    wilcoxon_pairs,
)
from omnibench.stats.result import RefusedError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

BAR = 0.35  # rows between two bars
NEMENYI, WILCOXON = "0.25", "0.65"  # greys, as colours are backbones
Bars = list[tuple[float, float, str]]  # from rank, to rank, grey


def rank_diagrams(study: Study) -> Iterator[Drawing]:
    """Yield one a task and adaptation with 3 to `MOST` backbones, where it can tell any apart.

    On few datasets the critical difference is longer than the whole scale: nothing would be seen.
    """
    for block in study.complete:
        try:
            friedman(block.means)  # refuses what no diagram shows
        except RefusedError:
            continue
        datasets, models = block.means.shape
        if models <= MOST and critical_difference(models, datasets) < models - 1:
            yield _diagram(block, study.correction, study.looks)


def _diagram(block: Complete, correction: str, looks: Looks) -> Drawing:
    places = ranks(block.means, block.falling).mean().sort_values(kind="stable")
    datasets, models = block.means.shape
    reach = critical_difference(models, datasets)
    pairs = wilcoxon_pairs(block.means, correction)
    tested = bool(pairs["p"].notna().any())
    bars = _bars(places, groups_by_nemenyi(places, datasets), NEMENYI)
    bars += _bars(places, groups_by_pairs(places, pairs) if tested else [], WILCOXON)
    named = [(str(name), rounded(place)) for name, place in places.items()]

    def draw(figure: "Canvas") -> None:
        _draw(figure.subplots(), named, bars, reach, looks)

    second = (
        "; light bars, those of which Wilcoxon's test tells no two apart, after "
        f"{CORRECTED[correction]}'s correction over all pairs"
    )
    caption = [
        *subject(block),
        "Mean ranks of the means over repetitions, 1 is best. Dark bars join backbones that "
        f"Nemenyi's critical difference (CD) does not tell apart{second if tested else ''}.",
        *tests(block),
        *block.left,
    ]
    places_in_words = ", ".join(f"{name} {place:.2f}" for name, place in named)
    return Drawing(
        stem=f"ranks-{block.results.task}-{block.adaptation}",
        title=f"Critical differences: {block.title}",
        alt=f"Critical-difference diagram of {block.title}. Mean ranks: {places_in_words}. "
        f"Critical difference {reach:.2f}. {_groups(places, datasets)}",
        caption=" ".join(caption),
        size=(WIDTH, 0.9 + ROW * ((models + 1) // 2) + ROW * BAR * len(bars)),
        data={
            "ranks": named,
            "bars": bars,
            "reach": rounded(reach),
            "looks": looks.places(name for name, _ in named),
        },
        draw=draw,
        facets={"task": (block.results.task,), "adaptation": (block.adaptation,)},
    )


def _groups(places: pd.Series, datasets: int) -> str:
    groups = groups_by_nemenyi(places, datasets)
    text = "; ".join(f"{group[0]} to {group[-1]}" for group in groups)
    return f"Not told apart by Nemenyi's: {text}." if groups else "All are told apart by Nemenyi's."


def _bars(places: pd.Series, groups: list[list[str]], shade: str) -> Bars:
    return [(rounded(places[group[0]]), rounded(places[group[-1]]), shade) for group in groups]


def _draw(
    axes: "Axes", named: list[tuple[str, float]], bars: Bars, reach: float, looks: Looks
) -> None:
    """Put the scale on top, the bars below it, and the better half of the names on the left."""
    models = len(named)
    axes.set_axis_off()
    low, high = 1 - 0.02 * models, models + 0.02 * models
    line: dict[str, Any] = {"color": "0.2", "linewidth": 0.8, "clip_on": False}
    axes.plot([1, models], [0, 0], **line)
    step = max(1, -(-models // 12))
    for place in range(1, models + 1, step):
        axes.plot([place, place], [0, -0.25], **line)
        axes.text(place, -0.35, str(place), ha="center", va="bottom", fontsize=7)
    end = 1 + reach
    axes.plot([1, end], [-1.6, -1.6], **line)
    for stop in (1.0, end):
        axes.plot([stop, stop], [-1.75, -1.45], **line)
    axes.text(1, -1.85, f"CD = {reach:.2f}", ha="left", va="bottom", fontsize=7)
    for k, (start, stop, shade) in enumerate(bars):
        y = 0.45 + BAR * k
        axes.plot([start, stop], [y, y], color=shade, linewidth=3, solid_capstyle="butt")
    top = 0.9 + BAR * len(bars)
    half = (models + 1) // 2
    for k, (full, rank) in enumerate(named):
        name = shortened(full, 36)
        left = k < half
        y = top + (k if left else models - 1 - k)
        edge = low if left else high
        axes.plot([rank, rank, edge], [0, y, y], **line)
        axes.plot([edge], [y], markersize=4, clip_on=False, **looks.style(full))
        text = f"{name}  {rank:.2f}" if left else f"{rank:.2f}  {name}"
        side = "right" if left else "left"
        pad = -0.02 * models if left else 0.02 * models
        axes.text(edge + pad, y, text, ha=side, va="center", fontsize=7)
    axes.set(xlim=(low, high), ylim=(top + half, -2.6))


FIGURE = Figure("ranks", "Critical differences over datasets", rank_diagrams, place=20)

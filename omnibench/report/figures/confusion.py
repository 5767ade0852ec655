"""Confusion matrices: right answers in blue, wrong ones in orange."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from omnibench.report.figures.answered import Answers, Classified
from omnibench.report.figures.drawing import Drawing, shortened
from omnibench.report.figures.panels import grid_of, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

ACROSS, PANEL = 4, 1.9  # panels a row, and their inches
MOST_NUMBERED = 10  # classes; beyond, the shares do not fit their fields
MOST_NAMED = 24  # classes; beyond, every second, third, ... is named
RIGHT, WRONG = "Blues", "Oranges"  # matplotlib's colour maps; the colour-blind tell them apart


def confusion_matrices(answered: Classified) -> Drawing | None:
    """Return the row-normalised matrices of a dataset's units; None of a multi-label task."""
    units = [unit for unit in answered.units if unit.counts is not None]
    if not units:
        return None
    down, across = grid_of(len(units), ACROSS)
    shares = [_shares(unit) for unit in units]
    most = max(float(np.nanmax(share)) for share in shares)  # of a row some case is of

    def draw(figure: "Canvas") -> None:
        grid = panels(figure, len(units), ACROSS, "answer", "truth", sharey=True)
        for axes, unit, share in zip(grid, units, shares, strict=True):
            _panel(axes, share, answered.classes, most)
            names = (shortened(unit.backbone, 30), shortened(unit.adaptation, 30))
            axes.set_title("\n".join(names), fontsize=7)
        for axes in grid[: len(units) - across]:  # the names stand below the lowest
            axes.set_xticklabels([])
        _scales(figure, grid, most)

    return Drawing(
        stem=f"confusion-{answered.task}-{answered.dataset}",
        title=f"Confusion matrices: {answered.dataset}",
        alt=f"Row-normalised confusion matrices on {answered.dataset}. "
        + _in_words(units, answered.classes),
        caption="Share of each true class (row) that was given each answer (column), in per cent, "
        "pooled over repetitions: right answers in blue, wrong ones in orange, on one scale in "
        f"all panels.{answered.omitted}",
        size=(max(4.5, across * PANEL + 0.9), down * (PANEL + 0.2) + 0.9),
        data={
            "classes": list(answered.classes),
            "units": [
                [unit.name, unit.counts.tolist()] for unit in units if unit.counts is not None
            ],
        },
        draw=draw,
        folded=True,
        facets=answered.facets,
    )


def _shares(unit: Answers) -> NDArray[np.float64]:
    """Return each row's shares [C, C], NaN of a class without cases."""
    assert unit.counts is not None
    sizes = unit.counts.sum(axis=1, keepdims=True).astype(np.float64)
    return unit.counts / np.where(sizes > 0, sizes, np.nan)


def _in_words(units: list[Answers], classes: tuple[str, ...]) -> str:
    sentences = []
    for unit in units:
        right = [
            f"{name} {100 * share:.0f} %"
            for name, share in zip(classes, np.diag(_shares(unit)).tolist(), strict=True)
            if share == share
        ]
        sentences.append(f"{unit.name} is right on {', '.join(right)}.")
    return " ".join(sentences)


def _panel(
    axes: "Axes", shares: NDArray[np.float64], classes: tuple[str, ...], most: float
) -> None:
    from matplotlib import colormaps

    count = len(classes)
    diagonal = np.eye(count, dtype=bool)[..., None]
    known = np.nan_to_num(shares) / most
    axes.imshow(np.where(diagonal, colormaps[RIGHT](known), colormaps[WRONG](known)))
    ticks = range(0, count, -(-count // MOST_NAMED))
    names = [shortened(classes[k], 24) for k in ticks]
    axes.set_xticks(ticks, names, rotation=45, ha="right", rotation_mode="anchor", fontsize=6)
    axes.set_yticks(ticks, names, fontsize=6)
    axes.tick_params(length=0)
    if count > MOST_NUMBERED:
        return
    for (i, j), share in np.ndenumerate(shares):
        axes.text(
            j,
            i,
            f"{100 * share:.0f}" if share == share else "\N{EN DASH}",
            ha="center",
            va="center",
            fontsize=6,
            color="white" if known[i, j] > 0.6 else "black",
        )


def _scales(figure: "Canvas", grid: "list[Axes]", most: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    every: Any = grid
    for name, label in ((WRONG, "wrong"), (RIGHT, "right")):
        shown = ScalarMappable(Normalize(0, 100 * most), name)
        bar = figure.colorbar(shown, ax=every, shrink=0.6, aspect=30, pad=0.01)
        bar.set_label(f"{label} (% of the class)", fontsize=6)
        bar.ax.tick_params(labelsize=6, length=2)

"""Heat maps of a metric by the share of low quality in training and in testing."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from omnibench.report.figures.drawing import Drawing, Figure, rounded, shortened
from omnibench.report.figures.panels import grid_of, panels
from omnibench.report.mixes import Mixed, MixedDataset
from omnibench.report.study import Study
from omnibench.report.table import DASH
from omnibench.task import POINTS
from omnibench.views import share_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

ACROSS, PANEL = 3, 2.1  # panels a row, and their inches
MOST = 9  # panels of a figure
COLOURS = "cividis"  # matplotlib's; the colour-blind see it as others do
Model = tuple[str, str]


def heat_maps(study: Study) -> Iterator[Drawing]:
    """Yield a drawing for each dataset whose models were trained on mixes and tested on some."""
    for made in study.beyond.mixed:
        if len(made.train) > 1 and len(made.test) > 1:
            yield _heat_map(study, made)


def _heat_map(study: Study, made: MixedDataset) -> Drawing:
    unit, metric = made.results.unit, made.results.metric
    shown = dict(list(made.models.items())[:MOST])
    left = len(made.models) - len(shown)
    scale = 100 if unit == POINTS else 1
    grids = {model: _values(made, mixed, scale) for model, mixed in shown.items()}
    known = [value for rows in grids.values() for row in rows for value in row if value == value]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    best = {model: {str(t): share for t, share in m.best.items()} for model, m in shown.items()}
    names = {model: (study.named(model[0]), model[1]) for model in shown}
    down, across = grid_of(len(shown), ACROSS)

    def draw(figure: "Canvas") -> None:
        axes = panels(
            figure, len(shown), ACROSS, "low quality in testing (%)", "low quality in training (%)"
        )
        for panel, (model, mixed) in zip(axes, shown.items(), strict=True):
            _panel(panel, made, mixed, grids[model], (low, high))
            panel.set_title("\n".join(shortened(name, 30) for name in names[model]), fontsize=7)
        _scale(figure, axes, (low, high), f"{metric} ({unit})")

    dataset = study.names.dataset(made.dataset)
    return Drawing(
        stem=f"mixes-{made.results.task}-{made.dataset}-{made.low}".replace(" ", "-"),
        title=f"Mix of qualities: {dataset}, {metric}",
        alt=f"Heat maps of {metric} on {dataset} by the share of low quality in training and in "
        f"testing. {_in_words(made, shown, names)}",
        caption=f"{metric} ({unit}, means over repetitions) by the share of low quality "
        f"({made.low}) in training and in testing, on one scale in all panels; framed: the best "
        "share in training for a share in testing."
        + (f" {left} further models are left out." if left else ""),
        size=(max(3.6, across * PANEL + 0.9), down * (PANEL + 0.25) + 0.4),
        data={
            "train": list(made.train),
            "test": list(made.test),
            "grids": [
                [*names[m], [[rounded(v, 2) if v == v else None for v in row] for row in grid]]
                for m, grid in grids.items()
            ],
            "best": [best[model] for model in shown],
            "unit": unit,
        },
        draw=draw,
        facets={"task": (made.results.task,), "dataset": (made.dataset,), "metric": (metric,)},
    )


def _values(made: MixedDataset, mixed: Mixed, scale: float) -> list[list[float]]:
    """Return the metric by share in training (rows) and in testing; NaN where there is none."""
    return [
        [
            scale * mixed.cells[train, test].value if (train, test) in mixed.cells else float("nan")
            for test in made.test
        ]
        for train in made.train
    ]


def _panel(
    axes: "Axes",
    made: MixedDataset,
    mixed: Mixed,
    grid: list[list[float]],
    ends: tuple[float, float],
) -> None:
    from matplotlib.patches import Rectangle

    low, high = ends
    # The lowest share in training at the bottom, as on any axis.
    axes.imshow(grid, COLOURS, vmin=low, vmax=high, origin="lower", aspect="equal")
    axes.set_xticks(range(len(made.test)), list(map(share_name, made.test)), fontsize=6)
    axes.set_yticks(range(len(made.train)), list(map(share_name, made.train)), fontsize=6)
    axes.tick_params(length=0)
    for i, row in enumerate(grid):
        for j, value in enumerate(row):
            text = f"{value:.1f}" if value == value else DASH
            dark = value == value and value < (low + high) / 2
            colour = "white" if dark else "black"
            axes.text(j, i, text, ha="center", va="center", fontsize=6, color=colour)
    for j, test in enumerate(made.test):
        if test in mixed.best:
            i = list(made.train).index(mixed.best[test])
            axes.add_patch(
                Rectangle((j - 0.46, i - 0.46), 0.92, 0.92, fill=False, lw=1.4, ec="#d62728")
            )


def _scale(figure: "Canvas", axes: "list[Axes]", ends: tuple[float, float], label: str) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    every: Any = axes
    bar = figure.colorbar(ScalarMappable(Normalize(*ends), COLOURS), ax=every, shrink=0.8, pad=0.02)
    bar.set_label(label, fontsize=7)
    bar.ax.tick_params(labelsize=6, length=2)


def _in_words(
    made: MixedDataset, shown: dict[Model, Mixed], names: dict[Model, tuple[str, str]]
) -> str:
    sentences = []
    for model, mixed in shown.items():
        parts = [
            f"{share_name(best)} % for {share_name(test)} %" for test, best in mixed.best.items()
        ]
        if parts:
            sentences.append(
                f"{' with '.join(names[model])} is best trained on {', '.join(parts)}."
            )
    return " ".join(sentences)


FIGURE = Figure("mixes", "Mix of qualities", heat_maps, place=60)

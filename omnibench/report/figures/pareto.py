"""Quality against cost: which backbones are worth their size."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from omnibench.report.figures.drawing import (
    WIDTH,
    Drawing,
    Figure,
    colour,
    keys,
    legend,
    marker,
    rounded,
)
from omnibench.report.results import Results
from omnibench.report.study import Study
from omnibench.task import POINTS, makes_backbones

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

MOST_DATASETS = 3
DECADE = 10  # a wider range of costs is drawn on a logarithmic axis
# Measured cost -> its axis, what it is divided by, and whether less is better.
COSTS = {
    "total_parameters": ("parameters (millions)", 1e6, True),
    "images_per_s": ("images per second", 1.0, False),
}
Points = list[tuple[str, float, float]]  # name, cost, quality


def paretos(study: Study) -> Iterator[Drawing]:
    """Yield one figure for each task whose units differ in what they cost."""
    costs = _costs(study)
    for task, results in study.primary.items():
        points = {
            (dataset, cost): _points(results, dataset, cost, costs)
            for dataset in results.columns[:MOST_DATASETS]
            for cost in COSTS
        }
        panels = {place: some for place, some in points.items() if len({x for _, x, _ in some}) > 1}
        if panels and not makes_backbones(task):
            yield _pareto(results, panels, max(0, len(results.columns) - MOST_DATASETS))


def _costs(study: Study) -> Mapping[tuple[str, str, str, str], Mapping[str, Any]]:
    costs = {}
    for state, record in study.finished:
        unit = state.cell.unit
        costs[unit.task, unit.dataset.id, unit.backbone.id, unit.short] = record["cost"]
    return costs


def _points(
    results: Results,
    dataset: str,
    cost: str,
    costs: Mapping[tuple[str, str, str, str], Mapping[str, Any]],
) -> Points:
    scale = 100.0 if results.unit == POINTS else 1.0
    points = []
    for column, row, cell in results.cells:
        if column == dataset and cell.state == "done":
            place = (results.task, dataset, row.backbone, row.adaptation)
            paid = costs.get(place, {}).get(cost)
            if isinstance(paid, int | float) and paid > 0:
                name = f"{row.backbone} · {row.adaptation}"
                points.append((name, rounded(paid / COSTS[cost][1], 3), rounded(scale * cell.mean)))
    return points


def front(points: Points, cheap_is_small: bool, falling: bool) -> Points:
    """Return the points that no other beats in cost and quality, the cheapest first."""
    sign_x, sign_y = (1 if cheap_is_small else -1), (-1 if falling else 1)
    best: Points = []
    for point in sorted(points, key=lambda p: (sign_x * p[1], -sign_y * p[2])):
        if not best or sign_y * point[2] > sign_y * best[-1][2]:
            best.append(point)
    return best


def _pareto(
    results: Results, panels: Mapping[tuple[str, str], Points], undrawn: int = 0
) -> Drawing:
    names = list(dict.fromkeys(name for points in panels.values() for name, _, _ in points))
    falling = bool(results.lower_is_better)
    datasets = list(dict.fromkeys(dataset for dataset, _ in panels))
    costs = [cost for cost in COSTS if any(cost == known for _, known in panels)]

    def draw(figure: "Canvas") -> None:
        grid: Any = figure.subplots(len(costs), len(datasets), squeeze=False)
        for i, cost in enumerate(costs):
            for j, dataset in enumerate(datasets):
                points = panels.get((dataset, cost))
                if points is None:
                    grid[i][j].set_axis_off()
                    continue
                _panel(grid[i][j], points, cost)
                grid[i][j].set_title(dataset)
            grid[i][0].set_ylabel(f"{results.metric} ({results.unit})")
        legend(figure, columns=2, handles=keys(grid[0][0], len(names)), labels=names)

    def _panel(axes: "Axes", points: Points, cost: str) -> None:
        label, _, small = COSTS[cost]
        for name, x, y in points:
            k = names.index(name)
            axes.plot([x], [y], marker(k), color=colour(k), markersize=6)
        best = front(points, small, falling)
        axes.step(
            [x for _, x, _ in best],
            [y for _, _, y in best],
            where="post",
            color="0.6",
            linewidth=0.8,
            zorder=0,
        )
        paid = [x for _, x, _ in points]
        if max(paid) >= DECADE * min(paid):
            axes.set_xscale("log", subs=[2, 5])
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.xaxis.set_minor_formatter(lambda value, _: f"{value:g}")
        axes.margins(0.08)
        axes.grid(alpha=0.3, linewidth=0.5)
        axes.set_xlabel(label)

    winners = {
        dataset: [name for name, _, _ in front(points, COSTS[cost][2], falling)]
        for (dataset, cost), points in panels.items()
        if cost == costs[0]
    }
    left = f" {undrawn} further datasets are not drawn." if undrawn else ""
    winning = "; ".join(f"{dataset}: {', '.join(best)}" for dataset, best in winners.items())
    return Drawing(
        stem=f"cost-{results.task}",
        title=f"Cost against quality: {results.title}",
        alt=f"{results.metric} against {' and '.join(COSTS[c][0] for c in costs)}. Not beaten in "
        f"both {results.metric} and {COSTS[costs[0]][0]}: {winning}.",
        caption="Mean over repetitions; the grey line joins what no other beats in both cost and "
        "quality. Images per second as measured, on the machine named under Environment." + left,
        size=(max(WIDTH, 2.4 * len(datasets)), 2.3 * len(costs) + 0.14 * len(names)),
        data={
            "panels": [[*place, points] for place, points in panels.items()],
            "metric": results.metric,
            "unit": results.unit,
        },
        draw=draw,
    )


FIGURE = Figure("cost", "Cost against quality", paretos, place=40)

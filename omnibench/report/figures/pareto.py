"""Quality against cost: which backbones are worth their size."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from omnibench.report.figures.drawing import WIDTH, Drawing, Figure, legend, rounded
from omnibench.report.figures.looks import FILLS, Looks, fill
from omnibench.report.results import Results
from omnibench.report.study import Study
from omnibench.task import POINTS, makes_backbones

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

MOST_DATASETS = 3
FEWEST = 3  # points of a panel; fewer are read off a table
DECADE = 10  # a wider range of costs is drawn on a logarithmic axis
# Measured cost -> its axis, what it is divided by, and whether less is better.
COSTS = {
    "total_parameters": ("parameters (millions)", 1e6, True),
    "images_per_s": ("images per second", 1.0, False),
    "latency_ms": ("latency of one image (ms)", 1.0, True),
}
OF_ONE_MACHINE = ("latency_ms",)  # never drawn beside another machine's
Label = tuple[str, str]  # backbone, adaptation
Points = list[tuple[Label, float, float]]  # with cost, quality


def paretos(study: Study) -> Iterator[Drawing]:
    """Yield one figure for each task whose units differ in what they cost."""
    costs = _costs(study)
    machines = _machines(study)
    for task, results in study.primary.items():
        shown = results.columns[:MOST_DATASETS]
        mixed = [dataset for dataset in shown if len(machines.get((task, dataset), ())) > 1]
        points = {
            (dataset, cost): _points(results, dataset, cost, costs)
            for dataset in shown
            for cost in COSTS
            if not (cost in OF_ONE_MACHINE and dataset in mixed)
        }
        panels = {
            place: some
            for place, some in points.items()
            if len(some) >= FEWEST and len({x for _, x, _ in some}) > 1
        }
        if panels and not makes_backbones(task):
            undrawn = max(0, len(results.columns) - MOST_DATASETS)
            yield _pareto(study.looks, results, panels, undrawn, mixed)


def _machines(study: Study) -> Mapping[tuple[str, str], set[str]]:
    """Return the machines on which the latencies of each task and dataset were measured."""
    machines: dict[tuple[str, str], set[str]] = {}
    for state, record in study.finished:
        if any(cost in record["cost"] for cost in OF_ONE_MACHINE):
            place = (state.cell.unit.task, state.cell.unit.dataset.id)
            machines.setdefault(place, set()).add(str(record["environment"].get("device")))
    return machines


def _costs(study: Study) -> Mapping[tuple[str, str, str, str], Mapping[str, Any]]:
    costs = {}
    for state, record in study.finished:
        unit = state.cell.unit
        costs[unit.task, unit.dataset.id, unit.backbone.id, unit.short] = record["cost"]
    return costs


def _some_adaptations(results: Results) -> list[str]:
    """Return as many adaptations as there are fillings, those of most backbones first."""
    counts = Counter(row.adaptation for row in results.rows)
    return [adaptation for adaptation, _ in counts.most_common(len(FILLS))]


def _points(
    results: Results,
    dataset: str,
    cost: str,
    costs: Mapping[tuple[str, str, str, str], Mapping[str, Any]],
) -> Points:
    scale = 100.0 if results.unit == POINTS else 1.0
    points = []
    drawn = _some_adaptations(results)
    for column, row, cell in results.cells:
        if column == dataset and cell.state == "done" and row.adaptation in drawn:
            place = (results.task, dataset, row.backbone, row.adaptation)
            paid = costs.get(place, {}).get(cost)
            if isinstance(paid, int | float) and paid > 0:
                label = (row.backbone, row.adaptation)
                points.append(
                    (label, rounded(paid / COSTS[cost][1], 3), rounded(scale * cell.mean))
                )
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
    looks: Looks,
    results: Results,
    panels: Mapping[tuple[str, str], Points],
    undrawn: int,
    mixed: Sequence[str] = (),
) -> Drawing:
    labels = dict.fromkeys(label for points in panels.values() for label, _, _ in points)
    backbones = list(dict.fromkeys(backbone for backbone, _ in labels))
    adaptations = list(dict.fromkeys(adaptation for _, adaptation in labels))
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
        keys = looks.keys(grid[0][0], backbones)
        if len(adaptations) > 1:
            keys += [
                grid[0][0].plot([], [], "o", color="0.4", fillstyle=fill(k), label=adaptation)[0]
                for k, adaptation in enumerate(adaptations)
            ]
        legend(figure, handles=keys, labels=[str(key.get_label()) for key in keys])

    def _panel(axes: "Axes", points: Points, cost: str) -> None:
        label, _, small = COSTS[cost]
        for (backbone, adaptation), x, y in points:
            full = fill(adaptations.index(adaptation))
            axes.plot([x], [y], markersize=6, fillstyle=full, **looks.style(backbone))
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
        dataset: [" · ".join(label) for label, _, _ in front(points, COSTS[cost][2], falling)]
        for (dataset, cost), points in panels.items()
        if cost == costs[0]
    }
    left = f" {undrawn} further datasets are not drawn." if undrawn else ""
    further = len({row.adaptation for row in results.rows}) - len(_some_adaptations(results))
    left += f" {further} further adaptations are not drawn." if further else ""
    if mixed:
        left += f" Latencies on {', '.join(mixed)} are of several machines, and not drawn."
    winning = "; ".join(f"{dataset}: {', '.join(best)}" for dataset, best in winners.items())
    return Drawing(
        stem=f"cost-{results.task}",
        title=f"Cost against quality: {results.title}",
        alt=f"{results.metric} against {' and '.join(COSTS[c][0] for c in costs)}. Not beaten in "
        f"both {results.metric} and {COSTS[costs[0]][0]}: {winning}.",
        caption="Mean over repetitions. Colours with markers are backbones, fillings adaptations; "
        "the grey line joins what no other beats in both cost and quality. Images per second "
        "and latencies as measured, on the machine named under Environment." + left,
        size=(
            max(WIDTH, 2.4 * len(datasets)),
            2.3 * len(costs) + 0.06 * (len(backbones) + len(adaptations)),
        ),
        data={
            "panels": [[*place, points] for place, points in panels.items()],
            "metric": results.metric,
            "unit": results.unit,
            "looks": looks.places(backbones),
        },
        draw=draw,
        facets={"task": (results.task,), "metric": (results.metric,), "dataset": tuple(datasets)},
    )


FIGURE = Figure("cost", "Cost against quality", paretos, place=40)

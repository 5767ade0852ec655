"""Learning curves, from what each epoch of a training left beside its record."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.record_files import EVALUATIONS
from omnibench.report.convergence import read_evaluations
from omnibench.report.figures.drawing import WIDTH, Drawing, Figure, legend, rounded
from omnibench.report.figures.looks import DASHES, Looks, dashes
from omnibench.report.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MOST = 6  # figures
MOST_UNITS, MOST_REPETITIONS = 16, 5
MOST_MARKERS = 12  # a line

Curve = list[list[float | None]]  # epoch, loss, validation


def learning_curves(study: Study) -> Iterator[Drawing]:
    """Yield one figure for each task and dataset whose trainings left their epochs."""
    units: dict[tuple[str, str], dict[tuple[str, str], list[Path]]] = {}
    for state, _ in study.finished:
        unit = state.cell.unit
        path = study.store.path(state.cell).with_suffix(f".{EVALUATIONS}")
        place = units.setdefault((unit.task, unit.dataset.id), {})
        place.setdefault((unit.backbone.id, unit.short), []).append(path)
    drawn = 0
    for (task, dataset), names in units.items():
        undrawn = max(0, sum(t == task for t, _ in units) - MOST)
        curves: dict[tuple[str, str], list[Curve]] = {}
        watched: set[str] = set()
        left = 0
        for name, paths in names.items():
            read = [_read(path, watched) for path in paths[:MOST_REPETITIONS]]
            if any(len(curve) > 1 for curve in read):
                seen = {adaptation for _, adaptation in [*curves, name]}
                if len(curves) < MOST_UNITS and len(seen) <= len(DASHES):
                    curves[name] = [curve for curve in read if curve]
                else:
                    left += 1
        if curves and drawn < MOST:
            drawn += 1
            yield _figure(
                study.looks, task, dataset, curves, sorted(watched), _omitted(left, undrawn)
            )


def _read(path: Path, watched: set[str]) -> Curve:
    """Epoch, loss and the first validation measure of each line; what is damaged ends it."""
    curve: Curve = []
    try:
        for entry in read_evaluations(path):
            if "epoch" not in entry:
                continue  # within the first epoch
            name, value = next(iter(entry["validation"].items()), ("", None))
            if name:
                watched.add(str(name))
            known = None if value is None else rounded(value)
            curve.append([int(entry["epoch"]) + 1, rounded(entry["loss"]), known])
    except (ValueError, KeyError, TypeError):
        pass
    return curve


def _omitted(units: int, datasets: int) -> str:
    text = f" {units} further units are left out." if units else ""
    return text + (f" {datasets} further datasets may not be drawn." if datasets else "")


def _figure(
    looks: Looks,
    task: str,
    dataset: str,
    curves: dict[tuple[str, str], list[Curve]],
    watched: Sequence[str],
    omitted: str,
) -> Drawing:
    adaptations = list(dict.fromkeys(adaptation for _, adaptation in curves))
    labels = ["training loss", *([f"validation: {' or '.join(watched)}"] if watched else [])]

    def draw(figure: "Canvas") -> None:
        grid: Any = figure.subplots(1, len(labels), squeeze=False)[0]
        for (backbone, adaptation), repetitions in curves.items():
            for k, curve in enumerate(repetitions):
                for column, axes in enumerate(grid, 1):
                    there = [point for point in curve if point[column] is not None]
                    axes.plot(
                        [point[0] for point in there],
                        [point[column] for point in there],
                        linestyle=dashes(adaptations.index(adaptation)),
                        linewidth=1,
                        markersize=3,
                        markevery=max(1, len(there) // MOST_MARKERS),
                        **looks.style(backbone),
                        label=None if k or column > 1 else f"{backbone} · {adaptation}",
                    )
        for axes, label in zip(grid, labels, strict=True):
            axes.set(xlabel="epoch", ylabel=label)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(alpha=0.3, linewidth=0.5)
        legend(figure, columns=2)

    names = [" · ".join(name) for name in curves]
    return Drawing(
        stem=f"curves-{task}-{dataset}",
        title=f"Learning curves: {task} on {dataset}",
        alt=f"{' and '.join(labels).capitalize()} over epochs of {', '.join(names)} on {dataset}.",
        caption=f"A line a repetition (at most {MOST_REPETITIONS}); colours with markers are "
        "backbones, dashes adaptations, whose losses need not be the same function." + omitted,
        size=(WIDTH, 2.6 + 0.15 * ((len(curves) + 1) // 2)),
        data={
            "curves": [[*name, some] for name, some in curves.items()],
            "labels": labels,
            "looks": looks.places(backbone for backbone, _ in curves),
        },
        draw=draw,
        folded=True,
        facets={"task": (task,), "dataset": (dataset,)},
    )


FIGURE = Figure("curves", "Learning curves", learning_curves, place=60)

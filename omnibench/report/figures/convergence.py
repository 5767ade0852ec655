"""Validation against training steps, on a logarithmic axis."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from omnibench.report.convergence import FEWEST, Converging, Label
from omnibench.report.figures.drawing import WIDTH, Drawing, Figure, legend, rounded
from omnibench.report.figures.looks import DASHES, Looks, dashes
from omnibench.report.study import Study
from omnibench.task import POINTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MOST = 6  # figures
MOST_MODELS, MOST_REPETITIONS = 16, 5
MOST_MARKERS = 12  # a line

Points = list[list[float]]  # steps, validation


def convergences(study: Study) -> Iterator[Drawing]:
    """Yield a figure for each task and dataset whose trainings left their steps."""
    known = [(trained, curves) for trained in study.converging if (curves := _curves(trained))]
    for trained, curves in known[:MOST]:
        yield _figure(study.looks, trained, curves, max(0, len(known) - MOST))


def _curves(trained: Converging) -> dict[Label, list[Points]]:
    """Return the validation of each repetition by its steps, as far as both are known."""
    scale = 100 if trained.unit == POINTS else 1
    curves: dict[Label, list[Points]] = {}
    for label, courses in trained.courses.items():
        drawn = []
        for course in list(courses.values())[:MOST_REPETITIONS]:
            pairs = zip(course.amounts["steps"], scale * course.values, strict=True)
            points = [[rounded(s), rounded(v)] for s, v in pairs if math.isfinite(s + v)]
            if len(points) >= FEWEST:
                drawn.append(points)
        adaptations = {adaptation for _, adaptation in [*curves, label]}
        if drawn and len(curves) < MOST_MODELS and len(adaptations) <= len(DASHES):
            curves[label] = drawn
    return curves


def _targets(trained: Converging, adaptations: list[str]) -> list[list[float]]:
    """Return place of the adaptation, and the baseline's mean best with it."""
    scale = 100 if trained.unit == POINTS else 1
    targets = []
    for place, adaptation in enumerate(adaptations):
        courses = trained.courses.get((trained.baseline or "", adaptation), {})
        bests = [float(course.best[-1]) for course in courses.values()]
        if bests and all(map(math.isfinite, bests)):
            targets.append([place, rounded(scale * sum(bests) / len(bests))])
    return targets


def _figure(
    looks: Looks, trained: Converging, curves: dict[Label, list[Points]], undrawn: int
) -> Drawing:
    adaptations = list(dict.fromkeys(adaptation for _, adaptation in curves))
    targets = _targets(trained, adaptations)
    label = f"validation {trained.metric}" + (f" ({trained.unit})" if trained.unit else "")

    def draw(figure: "Canvas") -> None:
        axes = figure.subplots()
        for (backbone, adaptation), repetitions in curves.items():
            for k, points in enumerate(repetitions):
                axes.plot(
                    [steps for steps, _ in points],
                    [value for _, value in points],
                    linestyle=dashes(adaptations.index(adaptation)),
                    linewidth=1,
                    markersize=3,
                    markevery=max(1, len(points) // MOST_MARKERS),
                    **looks.style(backbone),
                    label=None if k else f"{backbone} · {adaptation}",
                )
        for place, value in targets:
            axes.axhline(value, color="0.5", linewidth=0.8, linestyle=dashes(int(place)), zorder=0)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set(xlabel="training steps", ylabel=label)
        axes.grid(alpha=0.3, linewidth=0.5, which="both")
        legend(figure, columns=2)

    left = len(trained.courses) - len(curves)
    caption = f"A line a repetition (at most {MOST_REPETITIONS}); colours with markers are "
    caption += "backbones, dashes adaptations. Steps of other batches are other work."
    caption += f" Grey: the mean best of {trained.baseline}." if targets else ""
    caption += f" {left} further models are not drawn." if left else ""
    caption += f" {undrawn} further datasets are not drawn." if undrawn else ""
    names = ", ".join(" · ".join(name) for name in curves)
    return Drawing(
        stem=f"convergence-{trained.task}-{trained.dataset}-{trained.metric}",
        title=f"Convergence: {trained.task} on {trained.dataset}, validation {trained.metric}",
        alt=f"{label.capitalize()} against training steps, logarithmic, of {names}.",
        caption=caption,
        size=(WIDTH, 3.0 + 0.15 * ((len(curves) + 1) // 2)),
        data={
            "curves": [[*name, lines] for name, lines in curves.items()],
            "targets": targets,
            "label": label,
            "looks": looks.places(backbone for backbone, _ in curves),
        },
        draw=draw,
        facets={"task": (trained.task,), "dataset": (trained.dataset,)},
    )


FIGURE = Figure("convergence", "Convergence", convergences, place=58)

"""Figures of what classifiers answered: confusion, F1 of each class, reliability."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from omnibench.report.figures.answered import Answers, Classified, classified
from omnibench.report.figures.confusion import confusion_matrices
from omnibench.report.figures.drawing import (
    ROW,
    WIDTH,
    Drawing,
    Figure,
    legend,
    rounded,
    row_axis,
)
from omnibench.report.figures.looks import Looks
from omnibench.report.figures.panels import grid_of, panels
from omnibench.report.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

ACROSS = 3  # panels a row
APART = 0.7  # share of a row over which the backbones' F1 are spread


def answer_figures(study: Study) -> Iterator[Drawing]:
    """Yield confusion, F1 of each class and reliability of each dataset whose logits are stored."""
    for dataset in classified(study):
        for drawing in (
            confusion_matrices(dataset),
            class_f1(dataset, study.looks),
            reliability(dataset, study.looks),
        ):
            if drawing is not None:
                yield drawing


def class_f1(answered: Classified, looks: Looks) -> Drawing:
    """Return each class's F1, a panel an adaptation, a marker a backbone."""
    backbones = list(dict.fromkeys(unit.backbone for unit in answered.units))
    adaptations = list(dict.fromkeys(unit.adaptation for unit in answered.units))
    down, _ = grid_of(len(adaptations), ACROSS)

    def draw(figure: "Canvas") -> None:
        count = len(adaptations)
        grid = panels(figure, count, ACROSS, "F1 (points)", sharex=True, sharey=True)
        for axes, adaptation in zip(grid, adaptations, strict=True):
            for unit in answered.units:
                if unit.adaptation == adaptation:
                    k = backbones.index(unit.backbone)
                    shift = APART * ((k + 0.5) / len(backbones) - 0.5)
                    rows = [y + shift for y in range(len(answered.classes))]
                    look = looks.style(unit.backbone)
                    axes.plot(100 * unit.f1, rows, linestyle="", markersize=4.5, **look)
            row_axis(axes, list(answered.classes))
            axes.set_title(adaptation)
        legend(figure, handles=looks.keys(grid[0], backbones), labels=backbones)

    values = [
        [unit.name, [None if v != v else rounded(v) for v in unit.f1.tolist()]]
        for unit in answered.units
    ]
    return Drawing(
        stem=f"class-f1-{answered.task}-{answered.dataset}",
        title=f"F1 of each class: {answered.dataset}",
        alt=f"F1 in points on {answered.dataset}. {_scores(answered)}",
        caption=f"Mean over repetitions of the F1 of each class; none of a class that occurs in "
        f"neither truth nor answer.{answered.omitted}",
        size=(WIDTH, (1.0 + 1.6 * ROW * len(answered.classes)) * down + 0.15 * len(backbones)),
        data={
            "classes": list(answered.classes),
            "values": values,
            "looks": looks.places(backbones),
        },
        draw=draw,
        folded=True,
        facets=answered.facets,
    )


def _scores(answered: Classified) -> str:
    sentences = []
    for unit in answered.units:
        known = [
            f"{name} {100 * value:.0f}"
            for name, value in zip(answered.classes, unit.f1.tolist(), strict=True)
            if value == value
        ]
        sentences.append(f"{unit.name}: {', '.join(known)}.")
    return " ".join(sentences)


def reliability(answered: Classified, looks: Looks) -> Drawing | None:
    """Return accuracy against confidence, a panel an adaptation; None of a multi-label task."""
    units = [unit for unit in answered.units if unit.sizes is not None]
    if not units:
        return None
    backbones = list(dict.fromkeys(unit.backbone for unit in units))
    adaptations = list(dict.fromkeys(unit.adaptation for unit in units))
    down, across = grid_of(len(adaptations), ACROSS)
    lines = {unit.name: _points(unit) for unit in units}

    def draw(figure: "Canvas") -> None:
        x, y = "confidence", "share that is right"
        grid = panels(figure, len(adaptations), ACROSS, x, y, sharex=True, sharey=True)
        for axes, adaptation in zip(grid, adaptations, strict=True):
            axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
            for unit in units:
                if unit.adaptation == adaptation:
                    xs, ys = zip(*lines[unit.name], strict=True)
                    axes.plot(xs, ys, markersize=4, linewidth=1, **looks.style(unit.backbone))
            axes.set(title=adaptation, xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal")
            axes.grid(alpha=0.3, linewidth=0.5)
        legend(figure, handles=looks.keys(grid[0], backbones), labels=backbones)

    return Drawing(
        stem=f"reliability-{answered.task}-{answered.dataset}",
        title=f"Reliability: {answered.dataset}",
        alt=f"Share of right answers against stated confidence on {answered.dataset}. "
        + _confidences(units),
        caption="Answers in 15 equal bins of their confidence (the largest probability), pooled "
        "over repetitions; below the diagonal a model is surer than it is right. Bins without "
        f"cases are not drawn.{answered.omitted}",
        size=(max(4.5, WIDTH * across / ACROSS), 2.6 * down + 0.2 + 0.15 * len(backbones)),
        data={"lines": lines, "looks": looks.places(backbones)},
        draw=draw,
        folded=True,
        facets=answered.facets,
    )


def _points(unit: Answers) -> list[list[float]]:
    assert unit.sizes is not None
    assert unit.confidence is not None
    assert unit.hits is not None
    some = np.flatnonzero(unit.sizes)
    return [
        [rounded(unit.confidence[k] / unit.sizes[k]), rounded(unit.hits[k] / unit.sizes[k])]
        for k in some
    ]


def _confidences(units: list[Answers]) -> str:
    sentences = []
    for unit in units:
        assert unit.sizes is not None
        assert unit.confidence is not None
        assert unit.hits is not None
        cases = unit.sizes.sum()
        sentences.append(
            f"{unit.name}: mean confidence {100 * unit.confidence.sum() / cases:.0f} %, right "
            f"{100 * unit.hits.sum() / cases:.0f} %."
        )
    return " ".join(sentences)


FIGURE = Figure(
    "answers", "Confusion matrices, F1 of each class, and reliability", answer_figures, place=50
)

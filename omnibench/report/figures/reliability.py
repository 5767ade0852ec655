"""Reliability diagrams: whether a stated confidence is the share that is right."""

from typing import TYPE_CHECKING, Any

import numpy as np

from omnibench.report.figures.answers import Answers, Classified
from omnibench.report.figures.drawing import WIDTH, Drawing, colour, keys, legend, marker, rounded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS = 3


def reliability(found: Classified) -> Drawing | None:
    """Return accuracy against confidence, a panel an adaptation; None of a multi-label task."""
    units = [one for one in found.units if one.sizes is not None]
    if not units:
        return None
    backbones = list(dict.fromkeys(one.backbone for one in units))
    adaptations = list(dict.fromkeys(one.adaptation for one in units))
    across = min(ACROSS, len(adaptations))
    down = -(-len(adaptations) // across)
    lines = {one.name: _line(one) for one in units}

    def draw(figure: "Figure") -> None:
        grid: Any = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
        for axes, adaptation in zip(grid.flat, adaptations, strict=False):
            axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
            for one in units:
                if one.adaptation == adaptation:
                    k = backbones.index(one.backbone)
                    xs, ys = zip(*lines[one.name], strict=True)
                    axes.plot(xs, ys, marker(k) + "-", color=colour(k), markersize=4, linewidth=1)
            axes.set(title=adaptation, xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal")
            axes.grid(alpha=0.3, linewidth=0.5)
        for axes in grid.flat[len(adaptations) :]:
            axes.set_axis_off()
        for axes in grid[-1]:
            axes.set_xlabel("confidence")
        for axes in grid[:, 0]:
            axes.set_ylabel("share that is right")
        legend(figure, handles=keys(grid.flat[0], len(backbones)), labels=backbones)

    return Drawing(
        stem=f"reliability-{found.task}-{found.dataset}",
        title=f"Reliability: {found.dataset}",
        alt=f"Share of right answers against stated confidence on {found.dataset}. {_told(units)}",
        caption="Answers in 15 equal bins of their confidence (the largest probability), pooled "
        "over repetitions; below the diagonal a model is surer than it is right. Bins without "
        f"cases are not drawn.{found.omitted}",
        size=(max(4.5, WIDTH * across / ACROSS), 2.6 * down + 0.2 + 0.15 * len(backbones)),
        data={"lines": lines},
        draw=draw,
        folded=True,
    )


def _line(one: Answers) -> list[list[float]]:
    assert one.sizes is not None
    assert one.confidence is not None
    assert one.hits is not None
    some = np.flatnonzero(one.sizes)
    return [
        [rounded(one.confidence[k] / one.sizes[k]), rounded(one.hits[k] / one.sizes[k])]
        for k in some
    ]


def _told(units: list[Answers]) -> str:
    said = []
    for one in units:
        assert one.sizes is not None
        assert one.confidence is not None
        assert one.hits is not None
        cases = one.sizes.sum()
        said.append(
            f"{one.name}: mean confidence {100 * one.confidence.sum() / cases:.0f} %, right "
            f"{100 * one.hits.sum() / cases:.0f} %."
        )
    return " ".join(said)

"""F1 of each class: where a macro-F1 comes from."""

from typing import TYPE_CHECKING, Any

from omnibench.report.figures.answers import Classified
from omnibench.report.figures.drawing import (
    ROW,
    WIDTH,
    Drawing,
    colour,
    keys,
    legend,
    marker,
    rounded,
    row_axis,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

APART = 0.7  # share of a row over which backbones are spread
ACROSS = 3


def class_f1(found: Classified) -> Drawing:
    """Return each class's F1, a panel an adaptation, a marker a backbone."""
    backbones = list(dict.fromkeys(one.backbone for one in found.units))
    adaptations = list(dict.fromkeys(one.adaptation for one in found.units))
    across = min(ACROSS, len(adaptations))
    down = -(-len(adaptations) // across)

    def draw(figure: "Figure") -> None:
        grid: Any = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
        for axes, adaptation in zip(grid.flat, adaptations, strict=False):
            for one in found.units:
                if one.adaptation == adaptation:
                    k = backbones.index(one.backbone)
                    shift = APART * ((k + 0.5) / len(backbones) - 0.5)
                    rows = [y + shift for y in range(len(found.classes))]
                    axes.plot(100 * one.f1, rows, marker(k), color=colour(k), markersize=4.5)
            row_axis(axes, list(found.classes))
            axes.set_title(adaptation)
        for axes in grid.flat[len(adaptations) :]:
            axes.set_axis_off()
        for axes in grid[-1]:
            axes.set_xlabel("F1 (points)")
        legend(figure, handles=keys(grid.flat[0], len(backbones)), labels=backbones)

    values = [
        [one.name, [None if v != v else rounded(v) for v in one.f1.tolist()]] for one in found.units
    ]
    return Drawing(
        stem=f"class-f1-{found.task}-{found.dataset}",
        title=f"F1 of each class: {found.dataset}",
        alt=f"F1 in points on {found.dataset}. {_told(found)}",
        caption=f"Mean over repetitions of the F1 of each class; none of a class that occurs in "
        f"neither truth nor answer.{found.omitted}",
        size=(WIDTH, (1.0 + 1.6 * ROW * len(found.classes)) * down + 0.15 * len(backbones)),
        data={"classes": list(found.classes), "values": values},
        draw=draw,
        folded=True,
    )


def _told(found: Classified) -> str:
    said = []
    for one in found.units:
        known = [
            f"{name} {100 * value:.0f}"
            for name, value in zip(found.classes, one.f1.tolist(), strict=True)
            if value == value
        ]
        said.append(f"{one.name}: {', '.join(known)}.")
    return " ".join(said)

"""Confusion matrices: which classes are taken for which."""

from typing import TYPE_CHECKING, Any

from omnibench.report.figures.answers import Answers, Classified
from omnibench.report.figures.drawing import Drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS, PANEL = 3, 2.4  # panels a row, inches of one
MOST_NUMBERED = 10  # classes; beyond, the shares do not fit their fields


def confusion(found: Classified) -> Drawing | None:
    """Return the row-normalised matrices of a dataset's units; None of a multi-label task."""
    units = [one for one in found.units if one.counts is not None]
    if not units:
        return None
    across = min(ACROSS, len(units))
    down = -(-len(units) // across)

    def draw(figure: "Figure") -> None:
        grid: Any = figure.subplots(down, across, squeeze=False)
        for k, axes in enumerate(grid.flat):
            if k < len(units):
                _panel(axes, units[k], found.classes, first=k % across == 0)
            else:
                axes.set_axis_off()

    return Drawing(
        stem=f"confusion-{found.task}-{found.dataset}",
        title=f"Confusion matrices: {found.dataset}",
        alt=f"Row-normalised confusion matrices on {found.dataset}. {_told(units, found.classes)}",
        caption="Share of each true class (row) that was given each answer (column), in per cent, "
        f"pooled over repetitions.{found.omitted}",
        size=(max(4.5, across * PANEL + 0.8), down * PANEL + 0.6),
        data={
            "classes": list(found.classes),
            "units": [[one.name, one.counts.tolist()] for one in units if one.counts is not None],
        },
        draw=draw,
        folded=True,
    )


def _told(units: list[Answers], classes: tuple[str, ...]) -> str:
    said = []
    for one in units:
        assert one.counts is not None
        right = [
            f"{name} {100 * one.counts[k, k] / one.counts[k].sum():.0f} %"
            for k, name in enumerate(classes)
            if one.counts[k].sum()
        ]
        said.append(f"{one.name} is right on {', '.join(right)}.")
    return " ".join(said)


def _panel(axes: "Axes", one: Answers, classes: tuple[str, ...], first: bool) -> None:
    assert one.counts is not None
    sizes = one.counts.sum(axis=1, keepdims=True)
    shares = one.counts / sizes.clip(min=1)
    axes.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    ticks = range(len(classes))
    axes.set_xticks(ticks, classes, rotation=45, ha="right", rotation_mode="anchor", fontsize=6)
    axes.set_yticks(ticks, classes if first else [""] * len(classes), fontsize=6)
    axes.set_title(f"{one.backbone}\n{one.adaptation}", fontsize=7)
    axes.tick_params(length=0)
    if len(classes) > MOST_NUMBERED:
        return
    for i in ticks:
        for j in ticks:
            axes.text(
                j,
                i,
                f"{100 * shares[i, j]:.0f}" if sizes[i, 0] else "\N{EN DASH}",
                ha="center",
                va="center",
                fontsize=6,
                color="white" if shares[i, j] < 0.5 else "black",
            )

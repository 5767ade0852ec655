"""Several small axes in one figure."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


def grid_of(count: int, most_across: int) -> tuple[int, int]:
    """Return rows and columns of a grid for so many panels, with as few empty fields as may be."""
    down = -(-count // most_across)
    return down, -(-count // down)


def panels(
    figure: "Canvas", count: int, most_across: int, x: str = "", y: str = "", **shared: Any
) -> "list[Axes]":
    """Return axes in a grid, labelled at its left and at the lowest of each column.

    Args:
        x, y: labels of the axes.
        shared: `sharex` and `sharey`, as matplotlib takes them.
    """
    down, across = grid_of(count, most_across)
    grid: Any = figure.subplots(down, across, squeeze=False, **shared)
    for place, axes in enumerate(grid.flat):
        if place >= count:
            axes.set_axis_off()
        elif place + across >= count:  # nothing stands below it
            axes.set_xlabel(x)
            axes.tick_params(axis="x", labelbottom=True)
        if place % across == 0 and place < count:
            axes.set_ylabel(y)
    return list(grid.flat[:count])

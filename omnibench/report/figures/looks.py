"""How each backbone looks, the same in every figure of a report."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

# Okabe & Ito 2008, which the colour-blind tell apart, without their yellow, too pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "osD^vPX*"
FILLS = ("full", "none", "left", "right", "top", "bottom")
DASHES = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 3)))


class Looks:
    """Colours and markers of a study's backbones, no two the same up to 56 of them.

    Args:
        backbones: all of a study, in its order.
    """

    def __init__(self, backbones: Iterable[str]) -> None:
        self._places = {name: k for k, name in enumerate(dict.fromkeys(backbones))}

    def place(self, backbone: str) -> int:
        """Return what decides a backbone's look, as a figure's data hold it."""
        return self._places[backbone]

    def colour(self, backbone: str) -> str:
        """Return a backbone's colour; it comes again after 7 with another marker."""
        return COLOURS[self.place(backbone) % len(COLOURS)]

    def marker(self, backbone: str) -> str:
        """Return a backbone's marker; 7 and 8 share no divisor, so 56 looks differ."""
        return MARKERS[self.place(backbone) % len(MARKERS)]

    def style(self, backbone: str) -> dict[str, Any]:
        """Return colour and marker as a line of matplotlib takes them."""
        return {"color": self.colour(backbone), "marker": self.marker(backbone)}

    def keys(self, axes: "Axes", backbones: Sequence[str]) -> "list[Line2D]":
        """Return a legend's entries, which draw nothing themselves."""
        return [
            axes.plot([], [], linestyle="", label=name, **self.style(name))[0] for name in backbones
        ]

    def places(self, backbones: Iterable[str]) -> list[list[Any]]:
        """Return the place of each backbone, for a figure's data."""
        return [[name, self.place(name)] for name in dict.fromkeys(backbones)]


def fill(index: int) -> Any:
    """Return how an adaptation's markers are filled: one of 6 ways."""
    return FILLS[index]


def dashes(index: int) -> Any:
    """Return an adaptation's dashes: one of 6."""
    return DASHES[index]

"""Say what stands beside a printed mean (std, standard error, interval), as far as digits say.

A printed number is anything that prints so: 0.3 is [0.25, 0.35], and a std of 0.0 is [0, 0.05].
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

RUNS, IMAGES = "runs", "images"


class Range(NamedTuple):
    """A number as printed, with the least and the largest that print so."""

    low: float
    value: float
    high: float

    @classmethod
    def from_text(cls, text: str) -> "Range":
        """Read "80.1" as [80.05, 80.15]."""
        value, half = float(text), half_unit(text)
        return cls(value - half, value, value + half)

    def times(self, factor: float) -> "Range":
        """Return the range in another unit; the factor is above 0."""
        return Range(self.low * factor, self.value * factor, self.high * factor)


@dataclass(frozen=True)
class Uncertainty:
    """How much a printed mean is said to vary.

    Attributes:
        kind: "std" (ddof = 1), "se", or "ci": half the interval's width.
        size: of it, in the mean's unit.
        over: what varies: "runs" or "images"; "" where that is not said.
        level: of the interval, such as .95.
    """

    kind: str
    size: Range
    over: str
    level: float = 0.95

    def std(self, n: int) -> Range:
        """Return the standard deviation over n runs that it amounts to; n is 2 or more.

        A standard error is std / sqrt(n); an interval over runs is taken for Student's, half its
        width being t(n - 1) std / sqrt(n).
        """
        if self.kind == "std":
            return self.size
        if self.kind == "se":
            return self.size.times(math.sqrt(n))
        from scipy.special import stdtrit  # not needed by the tables that print a std

        return self.size.times(math.sqrt(n) / float(stdtrit(n - 1, (1 + self.level) / 2)))

    @property
    def error(self) -> Range:
        """Return the standard error of a "se" or a "ci"; an interval is taken for a normal one."""
        if self.kind == "se":
            return self.size
        return self.size.times(1 / NormalDist().inv_cdf((1 + self.level) / 2))


def uncertainty(
    std: str, se: str, interval: tuple[str, str], level: float, over: str
) -> Uncertainty | None:
    """Read what is printed beside a mean; None where nothing is.

    A std is over runs, and a standard error too unless `over` says else. Of several the first in
    the order std, standard error, interval is taken.
    """
    if std:
        return Uncertainty("std", _from_nought(std), RUNS)
    if se:
        return Uncertainty("se", _from_nought(se), over or RUNS)
    if not interval[0]:
        return None
    low, high = (Range.from_text(text) for text in interval)
    widths = (high.low - low.high, high.value - low.value, high.high - low.low)
    return Uncertainty("ci", Range(*(max(width, 0.0) / 2 for width in widths)), over, level)


def half_unit(text: str) -> float:
    """Return half a unit of the last printed decimal; 0 of an empty text."""
    return 0.5 * 10.0 ** -decimals(text) if text else 0.0


def decimals(text: str) -> int:
    """Return how many decimals a number is printed to."""
    return len(text.partition(".")[2])


def _from_nought(text: str) -> Range:
    size = Range.from_text(text)
    return size._replace(low=max(size.low, 0.0))

"""Which numbers of runs make a printed accuracy possible.

An accuracy is k / images with a whole k, so the mean of n runs can take few values. GRIM (Brown &
Heathers 2017, "The GRIM test") asks whether the printed mean is one of them; GRIMMER (Anaya 2016;
Allard 2018, "Analytic-GRIMMER") asks the same of mean and standard deviation together. All
arithmetic is in whole numbers and fractions. A half is taken as rounded either way, so that what is
called impossible is so under both. Numbers cut off instead of rounded are not considered.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

# Above this many elementary steps GRIMMER does not search; images are then so many that a printed
# standard deviation rules out nothing.
_MOST_STEPS = 1_000_000_000


@dataclass(frozen=True)
class Printed:
    """A number as printed: anything between value - half and value + half."""

    value: Fraction
    half: Fraction

    @classmethod
    def from_text(cls, text: str, percent: bool = True) -> "Printed":
        """Read "91.67"; what is printed in percent becomes a fraction."""
        scale = 100 if percent else 1
        decimals = len(text.partition(".")[2])
        return cls(Fraction(text) / scale, Fraction(1, 2 * 10**decimals * scale))

    @property
    def low(self) -> Fraction:
        """Return the least value that is printed so, at least 0."""
        return max(self.value - self.half, Fraction(0))

    @property
    def high(self) -> Fraction:
        """Return the largest value that is printed so."""
        return self.value + self.half


def grim(mean: Printed, images: int, n: int, decimals: int | None) -> bool:
    """Tell whether n runs on this many test images can have the printed mean accuracy.

    Args:
        decimals: of the fraction to which each run was rounded before the mean was taken; None
            where runs were averaged unrounded.
    """
    if decimals is None:
        whole = n * images
        return math.ceil(mean.low * whole) <= min(math.floor(mean.high * whole), whole)
    unit: int = n * 10**decimals
    low, high = math.ceil(mean.low * unit), math.floor(mean.high * unit)
    if low > high:
        return False
    window: int = _sums(images, decimals, n) >> low
    return window & ((1 << (high - low + 1)) - 1) != 0


def possible_n(
    mean: Printed, images: int, candidates: Sequence[int], decimals: int | None
) -> list[int]:
    """Return those of the candidates under which GRIM allows the mean."""
    return [n for n in candidates if grim(mean, images, n, decimals)]


def decides(mean: Printed, images: int, n: int) -> bool:
    """Tell whether GRIM can rule out anything: n runs leave gaps wider than the rounding."""
    return n * images * 2 * mean.half < 1


def grimmer(
    mean: Printed,
    std: Printed,
    images: int,
    n: int,
    decimals: int | None,
    ddofs: Sequence[int] = (1, 0),
) -> bool:
    """Tell whether n runs can have the printed mean and standard deviation together.

    Of unrounded runs the answer is exact. Of rounded ones it is a necessary condition: each count
    may be off by half a unit of the last decimal, and mean and deviation are widened by the most
    that this can do. Beyond a size where nothing can be ruled out the answer is True.

    Args:
        decimals: as in `grim`, which is asked first.
        ddofs: of the standard deviation; one that fits is enough.
    """
    if not grim(mean, images, n, decimals):
        return False
    slack = Fraction(0) if decimals is None else Fraction(1, 2 * 10**decimals)
    return any(_deviates(mean, std, images, n, slack, ddof) for ddof in ddofs if n > ddof)


@functools.lru_cache(maxsize=256)
def _sums(images: int, decimals: int, n: int) -> int:
    """Return the sums that n rounded runs can have, in last decimals: bit s stands for sum s."""
    unit: int = 10**decimals
    if images >= unit:  # every rounded value is some k / images
        return (1 << (n * unit + 1)) - 1
    if n == 0:
        return 1
    fewer: int = _sums(images, decimals, n - 1)
    sums = 0
    for value in _rounded(images, unit):
        sums |= fewer << value
    return sums


def _rounded(images: int, unit: int) -> list[int]:
    """Return every k / images in whole units, a half rounded both ways."""
    down = (-((images - 2 * k * unit) // (2 * images)) for k in range(images + 1))
    up = ((2 * k * unit + images) // (2 * images) for k in range(images + 1))
    return sorted({*down, *up})


def _deviates(mean: Printed, std: Printed, images: int, n: int, slack: Fraction, ddof: int) -> bool:
    """Search counts k with their mean and standard deviation (this ddof) in the printed ranges."""
    low = math.ceil(max(mean.low - slack, Fraction(0)) * n * images)
    high = math.floor((mean.high + slack) * n * images)
    # Rounding moves n values by at most `slack` each, so their deviation by slack sqrt(n/(n-ddof)).
    wider = slack * Fraction(math.sqrt(n / (n - ddof)) * (1 + 1e-12))
    least, most = max(std.low - wider, Fraction(0)), std.high + wider
    # n * sum(k^2) - sum(k)^2 = n (n - ddof) (images * std)^2, a whole number.
    scale = n * (n - ddof) * images**2
    least_moment, most_moment = math.ceil(least**2 * scale), math.floor(most**2 * scale)
    centre = min(max(round(mean.value * images), 0), images)
    sums = np.arange(low, high + 1) - n * centre
    if low > high or least_moment > most_moment:
        return False
    most_squares = (most_moment + int(np.abs(sums).max()) ** 2) // n
    reach = math.isqrt(most_squares)
    values = range(max(-reach, -centre), min(reach, images - centre) + 1)
    width = math.isqrt(n * most_squares)  # Cauchy-Schwarz: no partial sum is larger
    if (2 * width + 1) * (most_squares + 1) * len(values) * n > _MOST_STEPS:
        return True
    reachable = _reachable(values, n, width, most_squares)
    sums = sums[np.abs(sums) <= width]
    moments = n * np.arange(most_squares + 1)[None, :] - sums[:, None] ** 2
    fits = (moments >= least_moment) & (moments <= most_moment)
    return bool((fits & reachable[sums + width]).any())


def _reachable(values: range, n: int, width: int, most_squares: int) -> NDArray[np.bool_]:
    """Tell which (sum, sum of squares) n values can have: [2 width + 1, most_squares + 1]."""
    states = np.zeros((2 * width + 1, most_squares + 1), dtype=np.bool_)
    states[width, 0] = True
    for _ in range(n):
        following = np.zeros_like(states)
        for value in values:
            square, rows = value**2, len(states) - abs(value)
            to, start = max(value, 0), max(-value, 0)
            following[to : to + rows, square:] |= states[
                start : start + rows, : most_squares + 1 - square
            ]
        states = following
    return states

"""Test single accuracies on known numbers of test images: each is k right ones of N.

What pairing on the same images could have shown is bounded: two models that differ by d images
disagree on d images at least, and on 2 min(right of b, wrong of a) + d at most.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from omnibench.audit.contests import Contest
from omnibench.audit.published import Row
from omnibench.audit.rounding import Bounds
from omnibench.stats.correction import holm
from omnibench.stats.result import CONFIDENCE, SMALLEST_P, Floats, RefusedError

Interval = tuple[float, float]

_MOST_IMAGES = 1_000_000
_MOST_COUNTS = 3  # of one accuracy that are looked at, least and largest among them


@dataclass(frozen=True)
class Count:
    """A printed accuracy as counts: any k from least to most of the images prints so."""

    row: Row
    least: int
    most: int
    images: int

    @property
    def interval(self) -> Interval:
        """Return Wilson's 95 % interval of the accuracy, over all k: fractions."""
        return wilson(self.least, self.images)[0], wilson(self.most, self.images)[1]

    @property
    def candidates(self) -> list[int]:
        """Return the k that are looked at: all, or three of them with both ends."""
        if self.most - self.least < _MOST_COUNTS:
            return list(range(self.least, self.most + 1))
        return [round(k) for k in np.linspace(self.least, self.most, _MOST_COUNTS)]


@dataclass(frozen=True)
class CountTest:
    """Two single accuracies compared; each pair of numbers is over all k that print so.

    Attributes:
        interval: Newcombe's, of a - b: fractions.
        fisher: p of Fisher's exact test, as if the two had been tested on different images.
        corrected: that after Holm over the study's comparisons of this kind.
        apart: images between the two, least and most; None where their numbers of images differ.
        mid, exact: the least and the largest p (mid-p, exact) that McNemar's test could have
            given for any overlap of the images that each has right; None as `apart`.
    """

    a: Count
    b: Count
    interval: Interval
    fisher: Bounds
    corrected: Bounds
    apart: tuple[int, int] | None
    mid: Bounds | None
    exact: Bounds | None


def is_single(row: Row) -> bool:
    """Tell whether a row is an accuracy of one run (or nothing says else) on known images."""
    return row.is_accuracy and row.uncertainty is None and row.n in (1, None)


def count(row: Row) -> Count:
    """Return which k of the row's test images print as its accuracy does.

    Raises:
        RefusedError: none does, or the images are more than a million.
    """
    images = row.test_images or 0
    if images > _MOST_IMAGES:
        raise RefusedError(
            f"the accuracy {row.mean} of {row.model} on {row.dataset} is of {images} images, more "
            f"than the {_MOST_IMAGES} that are counted here"
        )
    printed = row.printed(row.mean)
    least, most = math.ceil(printed.low * images), min(math.floor(printed.high * images), images)
    if least > most or printed.value < 0:
        raise RefusedError(
            f"the accuracy {row.mean} of {row.model} on {row.dataset} is no k of {images} images"
        )
    return Count(row, least, most, images)


def count_tests(contests: Sequence[Contest]) -> tuple[list[Count], list[CountTest], list[str]]:
    """Return the counts behind a study's single accuracies, their comparisons, and refusals."""
    counts: dict[Row, Count | None] = {}
    refusals: list[str] = []
    tests: list[CountTest] = []
    for a, b in _pairs(contests):
        for row in (a, b):
            if row not in counts:
                try:
                    counts[row] = count(row)
                except RefusedError as reason:
                    counts[row] = None
                    refusals.append(str(reason))
        count_a, count_b = counts[a], counts[b]
        if count_a and count_b:
            tests.append(_compared(count_a, count_b))
    least, most = (
        holm(np.array([getattr(test.fisher, end) for test in tests]))
        for end in ("least", "largest")
    )
    corrected = [
        replace(test, corrected=Bounds(float(low), float(high)))
        for test, low, high in zip(tests, least, most, strict=True)
    ]
    return [known for known in counts.values() if known], corrected, refusals


def wilson(k: int, images: int) -> Interval:
    """Return Wilson's 95 % score interval of k / images (Wilson 1927)."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share, extra = k / images, z**2 / images
    centre = (share + extra / 2) / (1 + extra)
    margin = z * math.sqrt(share * (1 - share) / images + extra / (4 * images)) / (1 + extra)
    low = 0.0 if k == 0 else max(centre - margin, 0.0)
    return low, 1.0 if k == images else min(centre + margin, 1.0)


def newcombe(k_a: int, images_a: int, k_b: int, images_b: int) -> Interval:
    """Return the 95 % interval of k_a / images_a - k_b / images_b, as of different images.

    Source:
        Newcombe 1998, Statistics in Medicine 17, 873: method 10, of Wilson's intervals.
    """
    a, b = k_a / images_a, k_b / images_b
    (low_a, high_a), (low_b, high_b) = wilson(k_a, images_a), wilson(k_b, images_b)
    low = a - b - math.hypot(a - low_a, high_b - b)
    return low, a - b + math.hypot(high_a - a, b - low_b)


def fisher(k_a: int, images_a: int, k_b: int, images_b: int) -> float:
    """Return the two-sided p of Fisher's exact test: all tables no likelier than this one."""
    from scipy.special import gammaln  # a whole scipy.stats costs seconds to import

    right, everything = k_a + k_b, images_a + images_b
    k = np.arange(max(0, right - images_b), min(right, images_a) + 1.0)

    def chosen(n: int, of: Floats) -> Floats:
        return np.asarray(gammaln(n + 1) - gammaln(of + 1) - gammaln(n - of + 1), dtype=np.float64)

    logs = chosen(images_a, k) + chosen(images_b, right - k)
    logs -= chosen(everything, np.array([right], dtype=np.float64))
    as_likely = logs <= logs[k_a - int(k[0])] + 1e-7
    return min(max(float(np.exp(logs[as_likely]).sum()), SMALLEST_P), 1.0)


def mcnemar_p(only_a: int, only_b: int) -> tuple[float, float]:
    """Return mid-p and exact p of McNemar's test of images that one model alone has right.

    Source:
        McNemar 1947; mid-p: Fagerland, Lydersen & Laake 2013, BMC Med. Res. Methodol. 13, 91.
    """
    from scipy.special import bdtr, gammaln  # as in `fisher`

    smaller, discordant = min(only_a, only_b), only_a + only_b
    tail = 2 * float(bdtr(smaller, discordant, 0.5)) if discordant else 1.0
    if only_a == only_b:
        return 1.0, 1.0
    log = gammaln(discordant + 1) - gammaln(smaller + 1) - gammaln(discordant - smaller + 1)
    point = math.exp(float(log) - discordant * math.log(2))
    return max(min(tail - point, 1.0), SMALLEST_P), max(min(tail, 1.0), SMALLEST_P)


def _pairs(contests: Sequence[Contest]) -> Iterator[tuple[Row, Row]]:
    for contest in contests:
        for rival in contest.rivals:
            if is_single(contest.best) and is_single(rival):
                yield contest.best, rival


def _compared(a: Count, b: Count) -> CountTest:
    pairs = [(k_a, k_b) for k_a in a.candidates for k_b in b.candidates]
    p = [fisher(k_a, a.images, k_b, b.images) for k_a, k_b in pairs]
    same = max(a.least, b.least) <= min(a.most, b.most) and a.images == b.images
    unpaired = Bounds(min(p), 1.0 if same else max(p))
    intervals = [newcombe(k_a, a.images, k_b, b.images) for k_a, k_b in pairs]
    interval = min(low for low, _ in intervals), max(high for _, high in intervals)
    if a.images != b.images:
        return CountTest(a, b, interval, unpaired, unpaired, None, None, None)
    nearest = 0 if same else max(b.least - a.most, a.least - b.most)
    apart = nearest, max(a.most - b.least, b.most - a.least)
    few = mcnemar_p(apart[1], 0)
    # Of the pairs of k, one with the fewest images apart lets the most others be discordant.
    many = [mcnemar_p(*_most_discordant(k_a, k_b, a.images)) for k_a, k_b in pairs]
    mid, exact = (Bounds(few[kind], 1.0 if same else max(p[kind] for p in many)) for kind in (0, 1))
    return CountTest(a, b, interval, unpaired, unpaired, apart, mid, exact)


def _most_discordant(k_a: int, k_b: int, images: int) -> tuple[int, int]:
    """Return how many images a alone and b alone have right where they share the fewest."""
    shared = max(0, k_a + k_b - images)
    return k_a - shared, k_b - shared

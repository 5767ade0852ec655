"""Tell what the +- of an aggregate row is, from the rows that it was made of."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

RUNS = range(2, 11)

OVER_DATASETS = "SD over datasets"
OVER_RUNS = "SD over datasets x runs"
NONE_FITS = "none of those known"


@dataclass(frozen=True)
class Member:
    """One dataset's mean and standard deviation, each with half a unit of its last decimal."""

    mean: float
    std: float | None
    mean_half: float
    std_half: float = 0.0


@dataclass(frozen=True)
class Spread:
    """One reading of a +- that reproduces it within rounding.

    Attributes:
        name: such as "SD over datasets x runs (ddof=1)".
        n: the runs of each dataset that fit; empty where the reading does not depend on them.
    """

    name: str
    n: tuple[int, ...]


def spreads(std: float, half: float, members: Sequence[Member]) -> list[Spread]:
    """Return every reading of an aggregate's +- that fits within rounding.

    Considered are, over datasets and over datasets x runs, the standard deviation with ddof 1 and
    0 and the standard error, and the mean of the members' own standard deviations. Members'
    deviations are taken to have the ddof of the aggregate. With ddof = 0 the spread over datasets x
    runs does not depend on n.

    Rounding: SD = |v| / sqrt(count - ddof) of a vector v, and moving each entry of v by at most h_i
    moves its length by at most |h|. So what is left out cannot be, whatever the digits not
    printed.

    Args:
        std, half: the printed +- and half a unit of its last decimal.
    """
    fitting: dict[str, list[int]] = {}
    for name, n, value, slack in _readings(members):
        if abs(value - std) <= half + slack + 1e-12:
            fitting.setdefault(name, []).extend([] if n is None else [n])
    return [Spread(name, tuple(n)) for name, n in fitting.items()]


def _readings(
    members: Sequence[Member],
) -> Iterator[tuple[str, int | None, float, float]]:
    """Yield name, n (None where it plays no part), value and what rounding may do to it."""
    count = len(members)
    means = np.array([member.mean for member in members])
    centred = float(np.linalg.norm(means - means.mean()))
    moved = float(np.linalg.norm([member.mean_half for member in members]))
    for ddof in (1, 0):
        if count > ddof:
            root = math.sqrt(count - ddof)
            yield f"{OVER_DATASETS} (ddof={ddof})", None, centred / root, moved / root
    if count > 1:
        root = math.sqrt(count * (count - 1))
        yield "standard error over datasets", None, centred / root, moved / root
    deviations = [member.std for member in members if member.std is not None]
    if len(deviations) < count:
        return
    own = float(np.linalg.norm(deviations))
    own_moved = float(np.linalg.norm([member.std_half for member in members]))
    slack = float(np.mean([member.std_half for member in members]))
    yield "mean of the datasets' SD", None, float(np.mean(deviations)), slack
    # ddof = 0: between^2 + mean of own^2, whatever n is.
    root = math.sqrt(count)
    value, slack = math.hypot(centred, own) / root, math.hypot(moved, own_moved) / root
    yield f"{OVER_RUNS} (ddof=0)", None, value, slack
    for n in RUNS:
        value = math.hypot(math.sqrt(n) * centred, math.sqrt(n - 1) * own)
        slack = math.hypot(math.sqrt(n) * moved, math.sqrt(n - 1) * own_moved)
        root = math.sqrt(count * n - 1)
        yield f"{OVER_RUNS} (ddof=1)", n, value / root, slack / root
        root *= math.sqrt(count * n)
        yield "standard error over datasets x runs", n, value / root, slack / root

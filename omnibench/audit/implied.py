"""Tell how many runs the printed numbers imply, whatever their authors say."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from omnibench.audit.grim import decides, grim, grimmer, possible_n
from omnibench.audit.published import Row, in_order
from omnibench.audit.spreads import NONE_FITS, RUNS, Member, Spread, spreads
from omnibench.audit.uncertainty import half_unit

# No study repeats more often, and beyond it GRIM rules nothing out.
_MOST_RUNS = 50

# Fewer misfits may be slips of the pen; more are a pattern.
_LEAST_MISFITS = 2


@dataclass(frozen=True)
class Allowed:
    """What GRIM says of one row.

    Attributes:
        n_possible: the numbers of runs that allow the mean; None where the metric is no share of
            counted images.
        grim: whether the n claimed is one of them; None where none is claimed.
        decided: whether GRIM could have ruled out the n claimed.
    """

    row: Row
    n_possible: list[int] | None = None
    grim: bool | None = None
    decided: bool = False


@dataclass(frozen=True)
class Aggregate:
    """What the +- of an aggregate row can be.

    Attributes:
        readings: each that fits within rounding.
        datasets: how many there are below it; 0 where its tables do not hold its metric.
        mean_follows: whether its mean is that of its members, within rounding.
    """

    row: Row
    readings: tuple[Spread, ...] = ()
    datasets: int = 0
    mean_follows: bool = True

    @property
    def n(self) -> list[int]:
        """Return every n that fits; [] where it cannot be told."""
        return sorted({n for reading in self.readings for n in reading.n})

    @property
    def spread(self) -> str | None:
        """Return the readings in words; None where they cannot be told."""
        if not self.datasets or not self.row.std:
            return None
        return " or ".join(reading.name for reading in self.readings) or NONE_FITS


def allowed(row: Row, decimals: int | None) -> Allowed:
    """Ask GRIM about a row.

    Args:
        decimals: to which each run's fraction was rounded first; None for not at all.
    """
    if not row.is_accuracy or row.test_images is None:
        return Allowed(row)
    mean, images, claimed = row.printed(row.mean), row.test_images, row.n
    first = RUNS.start if row.std else 1  # one run has no standard deviation
    candidates = sorted({*range(first, RUNS.stop), *([claimed] if _few(claimed) else [])})
    possible = possible_n(mean, images, candidates, decimals)
    if claimed is None or not _few(claimed):
        return Allowed(row, possible)
    return Allowed(row, possible, claimed in possible, decides(mean, images, claimed))


def fits(row: Row, n: int, decimals: int | None, with_std: bool) -> bool:
    """Tell whether n runs allow a row's mean (GRIM), or mean and std together (GRIMMER)."""
    images = row.test_images or 0
    mean = row.printed(row.mean)
    if with_std and row.std:
        return grimmer(mean, row.printed(row.std), images, n, decimals)
    return grim(mean, images, n, decimals)


def aggregate(row: Row, context: Iterable[Row]) -> Aggregate:
    """Recompute an aggregate from its tables' rows of the same model, adaptation and metric."""
    below = [
        part
        for part in context
        if part.table in row.members
        and not part.members
        and (part.model, part.adaptation) == (row.model, row.adaptation)
        and (part.metric, part.definition) == (row.metric, row.definition)
    ]
    if not row.std or len(below) < 2 or {part.unit for part in below} != {row.unit}:
        return Aggregate(row)
    members = [
        Member(part.value, part.deviation, half_unit(part.mean), half_unit(part.std))
        for part in below
    ]
    mean = sum(member.mean for member in members) / len(members)
    slack = sum(member.mean_half for member in members) / len(members) + half_unit(row.mean)
    readings = spreads(float(row.std), half_unit(row.std), members)
    return Aggregate(row, tuple(readings), len(below), math.isclose(mean, row.value, abs_tol=slack))


def claimed_n(rows: Iterable[Row]) -> int | None:
    """Return the number of runs that most rows of the study's own making claim, from 2 on."""
    counts = Counter(row.n for row in rows if row.role != "cited" and row.n and row.n > 1)
    return counts.most_common(1)[0][0] if counts else None


def implied_n(
    claimed: int | None, grims: Sequence[Allowed], aggregates: Sequence[Aggregate]
) -> int | None:
    """Return the number of runs that fits a study's numbers where the claimed one does not.

    Aggregates decide where they can, being free of the counting of images: the n that fits most of
    them, if the claimed n fits fewer by two. Else GRIM's rows in the same way; of several n that
    fit equally many the smallest, as its multiples always fit too.

    Returns:
        None where the claim stands or nothing can be told.
    """
    if claimed is None:
        return None
    over_runs = [entry.n for entry in aggregates if entry.row.n == claimed and entry.n]
    counted = [
        entry.n_possible or [] for entry in grims if entry.row.n == claimed and entry.decided
    ]
    for sets in (over_runs, counted):
        support = Counter(n for possible in sets for n in possible if n > 1)
        if sets and support:
            best = min(support, key=lambda n: (-support[n], n))
            if support[best] - support[claimed] >= _LEAST_MISFITS:
                return best
            if support[claimed] == support[best]:
                return None
    return None


def by_table(rows: Iterable[Row]) -> str:
    """Name the tables of some rows: "Tables 3, 4"."""
    tables = in_order(row.table for row in rows)
    return f"Table{'s' if len(tables) > 1 else ''} {', '.join(tables)}"


def _few(n: int | None) -> bool:
    return n is not None and n <= _MOST_RUNS

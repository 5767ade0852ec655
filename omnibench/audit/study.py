"""Audit a study's published tables: all that can be told of their numbers, in one object."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omnibench.audit.contests import Contest, contests
from omnibench.audit.counts import Count, CountTest, count_tests
from omnibench.audit.facts import Facts, completed, unused
from omnibench.audit.implied import Aggregate, Allowed, aggregate, allowed, claimed_n, implied_n
from omnibench.audit.published import Row, in_order
from omnibench.audit.reading import NOTHING, read_tables
from omnibench.audit.retest import Retest, retest
from omnibench.audit.scales import in_one_unit
from omnibench.errors import RequestError

# Runs are commonly logged as fractions of four decimals before anyone averages them.
FOUR_DECIMALS = 4


@dataclass(frozen=True)
class Audit:
    """What one study's tables say, judged together.

    Attributes:
        decimals: each run's fraction was taken to be rounded to so many first; None: not at all.
        claimed: the n that most of the study's own rows claim; None where nothing is claimed.
        implied: the n that its numbers imply instead; None where the claim stands.
        counts, count_tests: single accuracies as k of N images, and their comparisons.
        uncounted: accuracies that are no such k, one sentence each.
        assumed: what was taken for granted, one sentence each.
    """

    study: str
    decimals: int | None
    claimed: int | None
    implied: int | None
    rows: tuple[Allowed, ...]
    aggregates: tuple[Aggregate, ...]
    contests: tuple[Contest, ...]
    tests: tuple[Retest, ...]
    counts: tuple[Count, ...] = ()
    count_tests: tuple[CountTest, ...] = ()
    uncounted: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()


def audit_studies(
    paths: Sequence[Path],
    decimals: int | None = FOUR_DECIMALS,
    facts: Facts = NOTHING,
    against: str = "",
) -> list[Audit]:
    """Audit the tables of some files, one audit a folder and study.

    Args:
        paths: files; those of one folder and study are judged together, and nothing else is read.
        facts: what stands for what the tables leave out.
        against: the model that the others are compared with; "" for the study's own with the rest.

    Raises:
        RequestError: no file is named, one cannot be read, two hold the same number, or a column
            holds two units.
    """
    if not paths:
        raise RequestError("name at least one table")
    groups: dict[tuple[Path, str], list[Row]] = {}
    places: dict[tuple[str, ...], Path] = {}
    assumed: list[str] = []
    for path in dict.fromkeys(path.resolve() for path in paths):
        reading = read_tables(path, facts)
        assumed += reading.assumed
        for row in reading.rows:
            group = groups.setdefault((path.parent, row.study), [])
            other = places.setdefault((str(path.parent), *row.place), path)
            if other != path:
                raise RequestError(
                    f"{other} and {path} both hold {row.metric} of {row.model} on {row.dataset} in "
                    f"table {row.table}; name one of them"
                )
            group.append(row)
    everything, further = completed([row for group in groups.values() for row in group], facts)
    everything, units = in_one_unit(everything)
    completed_rows = iter(everything)
    sentences = tuple(in_order([*assumed, *further, *units]))
    sentences += tuple(unused(facts, sentences))
    return [
        _audit_study(study, [next(completed_rows) for _ in group], decimals, against, sentences)
        for (_, study), group in groups.items()
    ]


def _audit_study(
    study: str, rows: list[Row], decimals: int | None, against: str, assumed: tuple[str, ...]
) -> Audit:
    grims = [allowed(row, decimals) for row in rows]
    aggregates = [aggregate(row, rows) for row in rows if row.members]
    claimed = claimed_n(rows)
    implied = implied_n(claimed, grims, aggregates)
    compared = contests(rows, against)
    counted, tests, uncounted = count_tests(compared)
    return Audit(
        study,
        decimals,
        claimed,
        implied,
        tuple(grims),
        tuple(aggregates),
        tuple(compared),
        tuple(retest(compared, claimed, implied)),
        tuple(counted),
        tuple(tests),
        tuple(uncounted),
        assumed,
    )

"""Audit a study's published tables: all that can be told of their numbers, in one object."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omnibench.audit.implied import Aggregate, Allowed, aggregate, allowed, claimed_n, implied_n
from omnibench.audit.published import Row
from omnibench.audit.reading import read_table
from omnibench.audit.retest import Contest, Retest, contests, retest
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
    """

    study: str
    decimals: int | None
    claimed: int | None
    implied: int | None
    rows: tuple[Allowed, ...]
    aggregates: tuple[Aggregate, ...]
    contests: tuple[Contest, ...]
    tests: tuple[Retest, ...]


def audit_studies(paths: Sequence[Path], decimals: int | None = FOUR_DECIMALS) -> list[Audit]:
    """Audit the tables of some CSVs, one audit a folder and study.

    Args:
        paths: CSVs; those of one folder and study are judged together, and nothing else is read.

    Raises:
        RequestError: no CSV is named, one cannot be read, or two hold the same number.
    """
    if not paths:
        raise RequestError("name at least one CSV")
    groups: dict[tuple[Path, str], list[Row]] = {}
    places: dict[tuple[str, ...], Path] = {}
    for path in dict.fromkeys(path.resolve() for path in paths):
        for row in read_table(path):
            group = groups.setdefault((path.parent, row.study), [])
            other = places.setdefault((str(path.parent), *row.place), path)
            if other != path:
                raise RequestError(
                    f"{other} and {path} both hold {row.metric} of {row.model} on {row.dataset} in "
                    f"table {row.table}; name one of them"
                )
            group.append(row)
    return [_audit_study(study, rows, decimals) for (_, study), rows in groups.items()]


def _audit_study(study: str, rows: list[Row], decimals: int | None) -> Audit:
    grims = [allowed(row, decimals) for row in rows]
    aggregates = [aggregate(row, rows) for row in rows if row.members]
    claimed = claimed_n(rows)
    implied = implied_n(claimed, grims, aggregates)
    compared = contests(rows)
    return Audit(
        study,
        decimals,
        claimed,
        implied,
        tuple(grims),
        tuple(aggregates),
        tuple(compared),
        tuple(retest(compared, claimed, implied)),
    )

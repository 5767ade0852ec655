"""An audit of published tables: what their numbers allow, imply and show when tested again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from omnibench.errors import RequestError
from omnibench.stats.implied import Aggregate, Allowed, aggregate, allowed, claimed_n, implied_n
from omnibench.stats.published import Row, read_table
from omnibench.stats.retest import Contest, Retest, contests, retest

# Runs are commonly logged as fractions of four decimals before anyone averages them.
FOUR_DECIMALS = 4


@dataclass(frozen=True)
class Audit:
    """What one study's tables say; of the tables asked for only, but judged with all at hand.

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


def audit(paths: Sequence[Path], decimals: int | None = FOUR_DECIMALS) -> list[Audit]:
    """Audit the tables of some CSVs, one audit a folder and study.

    Args:
        paths: CSVs; others of the same folder and study are read as context.

    Raises:
        RequestError: no CSV is named, or one cannot be read.
    """
    named = list(dict.fromkeys(path.resolve() for path in paths))
    if not named:
        raise RequestError("name at least one CSV")
    tables = {given.resolve(): read_table(given) for given in paths}
    audits = []
    for folder in dict.fromkeys(path.parent for path in named):
        everything = _folder_rows(folder, tables)
        wanted = {row.source for path in named if path.parent == folder for row in tables[path]}
        for study in dict.fromkeys(row.study for row in everything if row.source in wanted):
            rows = [row for row in everything if row.study == study]
            audits.append(_audit(study, rows, wanted, decimals))
    return audits


def _folder_rows(folder: Path, named: dict[Path, list[Row]]) -> list[Row]:
    """All rows of a folder, files in the order of their names."""
    rows: list[Row] = []
    for path in sorted({*folder.glob("*.csv"), *(path for path in named if path.parent == folder)}):
        if path.resolve() in named:
            rows += named[path.resolve()]
            continue
        try:
            rows += read_table(path)
        except RequestError:
            continue  # not asked for, and no table of this layout: no context either
    return rows


def _audit(study: str, rows: list[Row], wanted: Iterable[Path], decimals: int | None) -> Audit:
    wanted = set(wanted)
    grims = [allowed(row, decimals) for row in rows]
    aggregates = [aggregate(row, rows) for row in rows if row.members]
    claimed = claimed_n(rows)
    implied = implied_n(claimed, grims, aggregates)
    found = contests(rows)
    return Audit(
        study,
        decimals,
        claimed,
        implied,
        tuple(one for one in grims if one.row.source in wanted),
        tuple(one for one in aggregates if one.row.source in wanted),
        tuple(one for one in found if one.best.source in wanted),
        tuple(one for one in retest(found, claimed, implied) if one.a.source in wanted),
    )

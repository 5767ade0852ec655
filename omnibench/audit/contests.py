"""Say which published rows are compared: the study's best with its rivals, or models in pairs."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from omnibench.audit.published import Row, in_order
from omnibench.errors import RequestError
from omnibench.registry import did_you_mean

MOST_PAIRS = 5000


@dataclass(frozen=True)
class Contest:
    """One dataset under one metric and definition.

    Attributes:
        own: the study's variants, best first; of a pair the first alone.
        rivals: the strongest row that the study ran itself, with all tied with it; and the
            strongest single number cited under the same definition; of a pair the second.
        elsewhere: the strongest cited rows of the same metric under other definitions.
    """

    own: tuple[Row, ...]
    rivals: tuple[Row, ...]
    elsewhere: tuple[Row, ...] = ()

    @property
    def best(self) -> Row:
        """Return the study's best variant."""
        return self.own[0]


def contests(rows: Sequence[Row], against: str = "") -> list[Contest]:
    """Return what is compared of a study.

    That is each other model with the one named; else, on each dataset that the study has an own
    row of, its best with the strongest others; else, of a paper that only compares, all pairs.

    Args:
        against: a model's name; "" for none.

    Raises:
        RequestError: no such model, or more than 5,000 pairs.
    """
    if against:
        return _against(rows, against)
    if any(row.role == "own" for row in rows):
        return _own(rows)
    groups = _groups(rows)
    count = sum(math.comb(len(group), 2) for group in groups)
    if count > MOST_PAIRS:
        models = len(in_order(row.model for row in rows))
        raise RequestError(
            f"{models} models make {count} pairs, too many to read; name the one that the others "
            "are compared with (--against), or the study's own (--own)"
        )
    return [
        Contest((a,), (b,))
        for group in groups
        for a, b in combinations(sorted(group, key=lambda row: -row.merit), 2)
    ]


def _against(rows: Sequence[Row], against: str) -> list[Contest]:
    models = in_order(row.model for row in rows)
    if against not in models:
        raise RequestError(
            f"--against: no model is called '{against}'{did_you_mean(against, models)}"
        )
    return [
        Contest((row,), (named,))
        for group in _groups(rows)
        for named in group
        if named.model == against
        for row in group
        if row.model != against
    ]


def _own(rows: Sequence[Row]) -> list[Contest]:
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if row.primary and not row.members:
            groups.setdefault((row.study, row.table, row.dataset, row.metric), []).append(row)
    contests = []
    for group in groups.values():
        for definition in in_order(row.definition for row in group if row.role == "own"):
            same = [row for row in group if row.definition == definition]
            own = sorted(_with_role(same, "own"), key=lambda row: -row.merit)
            cited = [row for row in _with_role(same, "cited") if row.n in (1, None) and not row.std]
            others = _with_role((row for row in group if row.definition != definition), "cited")
            rivals = (*_strongest(_with_role(same, "rerun")), *_strongest(cited))
            contests.append(Contest(tuple(own), rivals, tuple(_strongest(others))))
    return contests


def _groups(rows: Iterable[Row]) -> list[list[Row]]:
    """Return the rows that can be compared: of one dataset, metric and definition."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if row.primary and not row.members:
            place = (row.study, row.table, row.dataset, row.metric, row.definition)
            groups.setdefault(place, []).append(row)
    return list(groups.values())


def _with_role(rows: Iterable[Row], role: str) -> list[Row]:
    return [row for row in rows if row.role == role]


def _strongest(rows: Sequence[Row]) -> list[Row]:
    """Return the best row and every row tied with it."""
    best = max((row.merit for row in rows), default=math.nan)
    return [row for row in rows if row.merit == best]

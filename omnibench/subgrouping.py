"""How a suite names the subgroups of its report: `[sex, {age: [0, 40, 60]}]`."""

import itertools
import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Subgrouping:
    """A column of the data, and where its numbers are parted.

    Attributes:
        edges: rising; bands are half-open, [0, 40), [40, 60) and from 60 on. None: every text or
            number is a subgroup.
    """

    column: str
    edges: tuple[float, ...] | None = None

    @property
    def bands(self) -> list[tuple[str, float, float]]:
        """Return name, first number and what ends each band, lowest first; those below included."""
        edges = self.edges or ()
        ends = [f"{edge:.15g}" for edge in edges]
        names = [
            f"< {ends[0]}",
            *map("-".join, itertools.pairwise(ends)),
            f">= {ends[-1]}",
        ]
        return list(zip(names, (-math.inf, *edges), (*edges, math.inf), strict=True))


def subgrouping(given: Any) -> Subgrouping:
    """Return a subgrouping as a suite writes it.

    Raises:
        ValueError: it is neither a column's name nor {name: [edges]}, or the edges do not rise.
    """
    if isinstance(given, Subgrouping):
        return given
    if isinstance(given, str):
        return Subgrouping(given)
    if not isinstance(given, dict) or len(given) != 1:
        raise ValueError("write a column's name, or {name: [edges]} of one column")
    ((name, edges),) = given.items()
    if not isinstance(name, str):
        raise ValueError(f"the name of a column is a word, not {name!r}; write it in quotes")
    if not isinstance(edges, list) or not edges or not all(map(_is_number, edges)):
        raise ValueError(f"the edges of '{name}' are numbers in a list, such as [0, 40, 60]")
    values = tuple(map(float, edges))
    if any(a >= b for a, b in itertools.pairwise(values)):
        raise ValueError(f"the edges of '{name}' do not rise: write the smallest first, each once")
    return Subgrouping(name, values)


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def each_once(wanted: list[Subgrouping]) -> list[Subgrouping]:
    """Return them, provided that no column stands twice.

    Raises:
        ValueError: one does.
    """
    names = [grouping.column for grouping in wanted]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"the column '{twice}' stands twice; leave one")
    return wanted

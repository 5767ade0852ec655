"""A metric within subgroups of the test cases, and whether two models differ more in some of them.

Groups are told by a column of the data. Cases of one patient belong together even where they are
in several groups: every variance is over all patients of the test set.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.cases import Cases
from omnibench.stats.correction import holm
from omnibench.stats.deciding import decide, estimate
from omnibench.stats.influence import Bools, Influence, influences
from omnibench.stats.result import Answer, RefusedError
from omnibench.stats.units import Score
from omnibench.subgrouping import Subgrouping

LEAST_CASES, LEAST_PATIENTS = 10, 5  # of a group with intervals
MOST_LEVELS = 20  # texts or numbers that are groups each
UNKNOWN = "unknown"

Outcome = Answer | RefusedError
_SMALL = RefusedError(
    f"fewer than {LEAST_CASES} cases or {LEAST_PATIENTS} patients are too few for an interval"
)


@dataclass(frozen=True, eq=False)
class Group:
    """Some of the N test cases.

    Attributes:
        chosen: [N].
        cases, patients: their numbers; every case is a patient where patients are unknown.
        rest: whether as many cases and patients are left outside it as an interval needs.
    """

    name: str
    chosen: Bools
    cases: int
    patients: int
    rest: bool

    @property
    def small(self) -> bool:
        """Tell whether it is too small for an interval."""
        return self.cases < LEAST_CASES or self.patients < LEAST_PATIENTS


def groups_of(
    grouping: Subgrouping, values: NDArray[Any], cluster: NDArray[np.intp]
) -> list[Group]:
    """Return the groups that have a case; by name, or bands from the lowest; unknown last.

    Args:
        values: [N] texts, "" unknown, or numbers, NaN unknown.
        cluster: [N] index of each case's patient.

    Raises:
        RefusedError: edges are given for texts, or there are more than 20 texts, or numbers without
            edges.
    """
    if values.dtype.kind == "U":
        if grouping.edges is not None:
            raise RefusedError("it holds texts, which have no bands; name it without edges")
        names = values
        if (count := len(np.unique(names))) > MOST_LEVELS:
            raise RefusedError(f"it holds {count} different texts, more than {MOST_LEVELS}")
    elif grouping.edges is None:
        known = np.unique(values[~np.isnan(values)])
        if len(known) > MOST_LEVELS:
            raise RefusedError(
                f"it holds {len(known)} different numbers; give the edges of bands, as in "
                f"{{{grouping.column}: [0, 40, 60]}}"
            )
        names = np.array([f"{value:.15g}" for value in values.tolist()])
        names[np.isnan(values)] = ""
    else:
        names = np.full(len(values), "", "U64")
        for name, low, high in grouping.bands:
            names[(values >= low) & ((values < high) | (high == math.inf))] = name
    order = list(dict.fromkeys(_ordered(grouping, names, values)))
    order = [name for name in order if name and name != UNKNOWN]
    masks = [(name, names == name) for name in order]
    masks.append((UNKNOWN, (names == "") | (names == UNKNOWN)))
    return [_group(name, chosen, cluster) for name, chosen in masks if chosen.any()]


def _ordered(grouping: Subgrouping, names: NDArray[np.str_], values: NDArray[Any]) -> list[str]:
    if grouping.edges is not None:
        return [name for name, _, _ in grouping.bands]
    ordered: list[str] = names[np.argsort(values, kind="stable")].tolist()
    return ordered


def _group(name: str, chosen: Bools, cluster: NDArray[np.intp]) -> Group:
    sizes = [(int(m.sum()), len(np.unique(cluster[m]))) for m in (chosen, ~chosen)]
    (cases, patients), (others, other_patients) = sizes
    enough = others >= LEAST_CASES and other_patients >= LEAST_PATIENTS
    return Group(name, chosen, cases, patients, enough)


@dataclass(frozen=True, eq=False)
class Parts:
    """A model's metric in each group, and in the test cases outside it.

    Attributes:
        values: mean over repetitions in each group; NaN where it is undefined.
        inside, outside: of groups that are not too small.
    """

    values: Sequence[float]
    inside: Sequence[Influence | RefusedError]
    outside: Sequence[Influence | RefusedError]


def parts_of(cases: Cases, score: Score, groups: Sequence[Group]) -> Parts:
    """Return what comparisons of groups need of one model's metric."""
    values, inside, outside = [], [], []
    for group in groups:
        within = _influence(cases, score, group.chosen)
        # One patient tells nothing of others, but has a value.
        alone = replace(cases, groups=None) if group.patients == 1 else cases
        known = within if alone is cases else _influence(alone, score, group.chosen)
        values.append(math.nan if isinstance(known, RefusedError) else float(known.values.mean()))
        inside.append(_SMALL if group.small and math.isfinite(values[-1]) else within)
        outside.append(
            _influence(cases, score, ~group.chosen)
            if group.rest
            else RefusedError("the rest is too small to compare with")
        )
    return Parts(values, inside, outside)


def _influence(cases: Cases, score: Score, chosen: Bools) -> Influence | RefusedError:
    unknown = RefusedError(f"{score[1]} has no values of each case")
    return influences(cases, [score], chosen).get(score, unknown)


@dataclass(frozen=True, eq=False)
class InGroup:
    """What is known of a model's metric in a group.

    Attributes:
        value: NaN where the metric is undefined there.
        interval: of the value, on new patients and with new runs.
        difference: from another model within the group.
        interaction: that difference less the difference in all other test cases.
        p_corrected: of the interaction, by Holm over the groups; NaN where there is none.
    """

    group: Group
    value: float
    interval: Outcome
    difference: Outcome | None = None
    interaction: Outcome | None = None
    p_corrected: float = math.nan


def in_groups(groups: Sequence[Group], a: Parts, b: Parts | None = None) -> list[InGroup]:
    """Return a model's metric in each group, and how its difference from another varies.

    Of two groups that hold all cases the interactions are the same but for their sign, and count
    once in Holm's family; else it is all groups that have an interaction.
    """
    results = []
    for k, group in enumerate(groups):
        results.append(InGroup(group, a.values[k], _estimated(a.inside[k])))
        if b is not None:
            results[k] = replace(
                results[k],
                difference=_decided(a.inside[k], b.inside[k]),
                interaction=_decided(_minus(a, k), _minus(b, k)),
            )
    tested = [r.interaction.p if isinstance(r.interaction, Answer) else math.nan for r in results]
    corrected = tested if len(groups) == 2 else holm(np.array(tested)).tolist()
    return [replace(r, p_corrected=p) for r, p in zip(results, corrected, strict=True)]


def worst(results: Sequence[InGroup], falling: bool) -> InGroup | None:
    """Return the worst group of those that are not too small; None of fewer than two."""
    known = [r for r in results if not r.group.small and math.isfinite(r.value)]
    if len(known) < 2:
        return None
    return max(known, key=lambda r: r.value) if falling else min(known, key=lambda r: r.value)


def _estimated(influence: Influence | RefusedError) -> Outcome:
    if isinstance(influence, RefusedError):
        return influence
    try:
        return estimate(influence)
    except RefusedError as reason:
        return reason


def _minus(parts: Parts, k: int) -> Influence | RefusedError:
    inside, outside = parts.inside[k], parts.outside[k]
    if isinstance(inside, RefusedError):
        return inside
    return outside if isinstance(outside, RefusedError) else inside.minus(outside)


def _decided(a: Influence | RefusedError, b: Influence | RefusedError) -> Outcome:
    for part in (a, b):
        if isinstance(part, RefusedError):
            return part
    assert isinstance(a, Influence) and isinstance(b, Influence)
    try:
        return decide(a, b)
    except RefusedError as reason:
        return reason

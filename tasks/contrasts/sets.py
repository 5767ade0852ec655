"""Sets of contrasts by their names, such as "T1w+T2w". No torch."""

import itertools
from collections.abc import Iterable, Sequence

ALL, LEAVE_ONE_OUT = "all", "leave-one-out"
MOST_SETS = 31  # that are tested: those of five contrasts

Contrasts = tuple[str, ...]  # of a set, sorted


def name_of(contrasts: Iterable[str]) -> str:
    """Return the name of a set, in which the order of its contrasts does not matter."""
    return "+".join(sorted(contrasts))


def listed(text: str) -> tuple[Contrasts, ...]:
    """Return the sets of a list such as "T1w+T2w, PD"; none of an empty one."""
    return tuple(tuple(name.split("+")) for name in text.split(", ") if name)


def normalised(text: str) -> str:
    """Return a list of sets in the one order in which it is written.

    Raises:
        ValueError: a set names nothing or a contrast twice, or stands twice in the list.
    """
    if not text.strip():
        return ""
    names: list[str] = []
    for part in text.split(","):
        contrasts = [name.strip() for name in part.split("+")]
        if not all(contrasts):
            raise ValueError(
                f"'{text}' has a set without a contrast's name; write sets as in T1w+T2w, PD"
            )
        for name in contrasts:
            if contrasts.count(name) > 1:
                raise ValueError(f"the set '{part.strip()}' names {name} twice; name it once")
        names.append(name_of(contrasts))
        if names.count(names[-1]) > 1:
            raise ValueError(f"the set {names[-1]} is listed twice; list it once")
    return ", ".join(sorted(names))


def subsets_of(subsets: str, contrasts: Sequence[str]) -> tuple[Contrasts, ...]:
    """Return the sets that a model is tested with.

    Args:
        subsets: "all" that are not empty, "leave-one-out" for those that lack one, or a list.
        contrasts: of the dataset, sorted.
    """
    if subsets == LEAVE_ONE_OUT:
        return tuple(itertools.combinations(contrasts, len(contrasts) - 1))
    if subsets != ALL:
        return listed(subsets)
    sizes = range(1, len(contrasts) + 1)
    return tuple(own for size in sizes for own in itertools.combinations(contrasts, size))

"""Repetitions that a suite was given in rounds, until its comparisons were decided.

A file in the results folder says how many repetitions each family has, a family being the backbones
of one task, dataset and adaptation, and at which numbers of repetitions it may be looked at. Every
command takes the suite with these repetitions, and every p allows for all these looks.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from omnibench.cell import Unit
from omnibench.errors import RequestError, StoreError
from omnibench.files import inside, read_regular, write_atomically
from omnibench.session import MONITORED
from omnibench.stats.monitoring import HOPE, chance_of_an_answer, planned_looks
from omnibench.stats.pair import Comparison, Place, course_of
from omnibench.stats.units import undecoded
from omnibench.suite import Suite
from omnibench.task import makes_backbones

MOST = 100  # repetitions
_STATES = {
    "open": "goes on",
    "decided": "all decided",
    "hopeless": "given up: no number of repetitions up to the most is likely to decide the rest",
    "most": "undecided with the most repetitions",
    "images": "undecided, and further repetitions change next to nothing: it takes more images",
    "untested": "stopped, as a comparison could not be tested",
}


@dataclass(frozen=True)
class Family:
    """One family.

    Attributes:
        repetitions: that its units are asked for.
        looks: the numbers of repetitions at which it may be looked at, the first one first.
        state: a key of `_STATES`.
    """

    repetitions: int
    looks: tuple[int, ...]
    state: str = "open"

    @property
    def words(self) -> str:
        """Return how it stands, in words."""
        return f"{_STATES[self.state]}, at {self.repetitions} of up to {self.looks[-1]} repetitions"


@dataclass(frozen=True)
class Monitoring:
    """What is known of a suite that is run until it is decided.

    Attributes:
        most: repetitions that no unit exceeds.
        families: "task/dataset/adaptation" -> its family.
    """

    most: int
    families: Mapping[str, Family] = field(default_factory=dict)

    @classmethod
    def begun(cls, suite: Suite, most: int) -> "Monitoring":
        """Return the monitoring of a suite before its first look.

        Raises:
            RequestError: the suite names no baseline, or has nothing to repeat, or asks for more.
        """
        if suite.report.baseline is None:
            raise RequestError(
                f"--until-decided: the suite '{suite.name}' names no baseline to decide against; "
                "give it `report: {baseline: BACKBONE}`"
            )
        families: dict[str, Family] = {}
        for unit in suite.units:
            first = len(unit.repetitions)
            if makes_backbones(unit.task) or not _repeats(unit):
                continue
            if first > most:
                raise RequestError(
                    f"--max-repetitions: {unit.name} asks for {first} repetitions already; give "
                    f"{first} or more"
                )
            families[key_of(unit)] = Family(first, planned_looks(first, most))
        if not families:
            raise RequestError(
                f"--until-decided: the suite '{suite.name}' asks for single repetitions alone, of "
                "which nothing can be told; give it `repetitions: 3` or more"
            )
        return cls(most, families)

    def applied(self, suite: Suite) -> Suite:
        """Return a suite with the repetitions that its families have, and how they stand."""
        return replace(
            suite,
            units=tuple(self._extended(unit) for unit in suite.units),
            looks={_place(key): family.looks for key, family in self.families.items()},
            monitored={_place(key): family.words for key, family in self.families.items()},
        )

    def _extended(self, unit: Unit) -> Unit:
        family = self.families.get(key_of(unit))
        if family is None or not _repeats(unit):
            return unit
        count = max(len(unit.repetitions), family.repetitions)
        return replace(unit, repetitions=tuple(range(count)))

    def after_a_look(
        self,
        looked: Collection[str],
        comparisons: Sequence[Comparison],
        margins: Mapping[str, float],
    ) -> "Monitoring":
        """Return which families are done, and which go on to how many repetitions.

        Args:
            looked: those that are looked at.
            comparisons: of the suite, judged with these looks.
            margins: of equivalence, by "definition/name".
        """
        families = dict(self.families)
        for key, family in self.families.items():
            own = [c for c in comparisons if c.primary and c.place == _place(key)]
            if family.state == "open" and key in looked:
                families[key] = _after_a_look(family, own, margins)
        return replace(self, families=families)


def _after_a_look(
    family: Family, comparisons: Sequence[Comparison], margins: Mapping[str, float]
) -> Family:
    unsettled = [c for c in comparisons if c.verdict == "undecided"]
    if not unsettled:
        tested = any(c.verdict != "untested" for c in comparisons)
        return replace(family, state="decided" if tested else "untested")
    if family.repetitions == family.looks[-1]:
        return replace(family, state="most")
    moving = [c for c in unsettled if c.runs > 0]
    if not moving:
        return replace(family, state="images")
    chances = [
        chance_of_an_answer(
            c.difference,
            min(c.n_a, c.n_b),
            course_of(c, family.looks),
            c.family,
            margins.get(undecoded(c.score)),
        )
        for c in moving
    ]
    if max(chances) < HOPE:
        return replace(family, state="hopeless")
    following = min(n for n in family.looks if n > family.repetitions)
    return replace(family, repetitions=following)


def monitoring_of(name: str, results: Path) -> Monitoring | None:
    """Return what the results folder says of a suite; None where it was never monitored.

    Raises:
        StoreError: the file is damaged.
    """
    path = _path(name, results)
    if not path.is_file():
        return None
    try:
        return monitoring_in(read_regular(path))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(
            f"{path} is damaged ({error}); restore it, or delete it and begin again with "
            "`run --until-decided`, which looks at the records anew"
        ) from error


def monitoring_in(file: bytes) -> Monitoring:
    """Return what a file of monitoring holds.

    Raises:
        ValueError, KeyError, TypeError, AttributeError, RecursionError: it is none.
    """
    content = json.loads(file)
    families = {
        str(key): Family(
            int(family["repetitions"]), tuple(map(int, family["looks"])), str(family["state"])
        )
        for key, family in content["families"].items()
    }
    known = all(
        f.state in _STATES and 1 <= f.repetitions <= MOST and f.looks for f in families.values()
    )
    if not known or not all(key.count("/") == 2 for key in families):
        raise ValueError("a family is not as it was written")
    return Monitoring(int(content["most"]), families)


def save(name: str, monitoring: Monitoring, results: Path) -> None:
    """Write what is known of a suite, at once or not at all."""
    path = _path(name, results)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"suite": name, **asdict(monitoring)}
    write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())


def key_of(unit: Unit) -> str:
    """Return "task/dataset/adaptation" of a unit's family."""
    return "/".join((unit.task, unit.dataset.id, unit.short))


def _repeats(unit: Unit) -> bool:
    return len(unit.repetitions) > 1


def _place(key: str) -> Place:
    task, dataset, adaptation = key.split("/")
    return task, dataset, adaptation


def _path(name: str, results: Path) -> Path:
    return inside(results / MONITORED / f"{name}.json", results)

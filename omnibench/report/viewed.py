"""One metric of a finished unit on each view of its predictions, as statistics take it."""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from omnibench.cell import Unit
from omnibench.report.results import Results
from omnibench.stats.cases import Cases, Predictions, read_cases
from omnibench.stats.influence import Influence, influences
from omnibench.stats.pair import refuse_disagreeing
from omnibench.stats.result import Floats, RefusedError
from omnibench.stats.shift import Measured, measured, values_only
from omnibench.stats.units import Score

if TYPE_CHECKING:
    from omnibench.report.study import Study


@dataclass(frozen=True, eq=False)
class Finished:
    """The finished repetitions of a unit.

    Attributes:
        records: repetition -> its record.
    """

    unit: Unit
    records: Mapping[int, Mapping[str, Any]]

    def values(self, score: Score, view: str) -> Floats:
        """Return what the records hold: [R], NaN where it is undefined or absent."""
        name = "/".join(at_view(score, view))
        metrics = (self.records[k]["metrics"].get(name) for k in sorted(self.records))
        return np.array([math.nan if value is None else value for value in metrics], np.float64)

    def read(
        self, score: Score, views: Collection[str], predictions: Predictions, blocks: bool = False
    ) -> "Viewed":
        """Return the metric on each view; without influences where one of them has none.

        Args:
            views: those that are wanted; "" is the test set itself.
            blocks: whether to leave out blocks of patients in all views alike: where weights need
                them in some, the others could not be held against those.
        """
        try:
            metrics = {v: self._influence(score, v, predictions, blocks) for v in views}
        except RefusedError as reason:
            return self.recorded(score, views, reason)
        return Viewed(self.unit, metrics, None)

    def recorded(self, score: Score, views: Collection[str], reason: RefusedError) -> "Viewed":
        """Return the metric on each view as the records hold it.

        Args:
            reason: why it has no influences.
        """
        metrics = {view: values_only(self.values(score, view)) for view in views}
        return Viewed(self.unit, metrics, reason)

    def _influence(
        self, score: Score, view: str, predictions: Predictions, blocks: bool
    ) -> Influence:
        own = at_view(score, view)
        digests = {k: str(record["digest"]) for k, record in self.records.items()}
        recorded = self.values(score, view)
        if not np.isfinite(recorded).all():
            raise RefusedError(f"{score[1]} is undefined in some repetition")
        cases = read_cases(digests, predictions, [own], view)
        if blocks:
            cases = _weighted(cases)
        influence = influences(cases, [own], again=[own]).get(own)
        if influence is None:
            raise RefusedError(f"{score[1]} cannot be computed again on parts of the test images")
        if isinstance(influence, RefusedError):
            raise influence
        refuse_disagreeing(self.unit.backbone.id, influence, recorded)
        return influence


@dataclass(frozen=True, eq=False)
class Viewed:
    """One metric of a unit by view.

    Attributes:
        metrics: view -> the metric, "" of the test set itself.
        reason: why it has no influences, and so no intervals; None where it has.
    """

    unit: Unit
    metrics: Mapping[str, Influence]
    reason: RefusedError | None


@dataclass(frozen=True)
class Shown:
    """Measures metrics of one model, which have no interval where there is a reason against it."""

    reason: RefusedError | None

    def __call__(self, metric: Influence) -> Measured:
        number = measured(metric)
        return number if self.reason is None else Measured(number.value, self.reason)


def at_view(score: Score, view: str) -> Score:
    """Return a score on a view: "definition@view" and the metric."""
    return (f"{score[0]}@{view}" if view else score[0], score[1])


def finished_units(study: "Study", results: Results) -> Iterator[Finished]:
    """Yield the units of a task with finished repetitions, in the suite's order."""
    units: dict[tuple[str, str, str], tuple[Unit, dict[int, Mapping[str, Any]]]] = {}
    for state, record in study.finished:
        unit = state.cell.unit
        if unit.task == results.task:
            place = (unit.dataset.id, unit.backbone.id, unit.short)
            units.setdefault(place, (unit, {}))[1][state.cell.repetition] = record
    for unit, records in units.values():
        yield Finished(unit, records)


def _weighted(cases: Cases) -> Cases:
    """Return cases that count alike, said as weights; a case without a patient is its own."""
    weights = np.ones(len(cases.ids)) if cases.weights is None else cases.weights
    groups = cases.ids if cases.groups is None else cases.groups
    return replace(cases, weights=weights, groups=groups, values={})

"""Subgroups of each dataset: a metric within them, and whether differences vary over them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.data.columns import columns_in
from omnibench.report.results import Results
from omnibench.report.stored_units import Model, StoredUnits
from omnibench.report.words import listed
from omnibench.stats.cases import Cases
from omnibench.stats.result import RefusedError
from omnibench.stats.subgroups import Group, InGroup, Parts, groups_of, in_groups, parts_of
from omnibench.stats.units import Score
from omnibench.subgrouping import Subgrouping


@dataclass(frozen=True, eq=False)
class Subgrouped:
    """One metric of one dataset's models by the groups of one column.

    Attributes:
        results: of the metric, which say its unit and direction.
        baseline: None where there is none to compare with.
        patients: of the test set; None where they are unknown.
        models: backbone and adaptation -> its groups, in one order.
        absent: group -> classes without a case in it, of a task with one class a case.
        left: a sentence for each model that is left out.
    """

    results: Results
    dataset: str
    grouping: Subgrouping
    baseline: str | None
    patients: int | None
    models: Mapping[Model, Sequence[InGroup]]
    absent: Mapping[str, Sequence[str]]
    left: Sequence[str]

    @property
    def falling(self) -> bool:
        """Return whether less is better."""
        return self.results.metric in self.results.lower_is_better


@dataclass(frozen=True, eq=False)
class _Read:
    """What a dataset's models stored, and the column of each."""

    models: Mapping[Model, tuple[Cases, NDArray[Any]]]
    left: Sequence[str]


def subgrouped(
    stored: Iterable[StoredUnits],
    wanted: Sequence[Subgrouping],
    every: Sequence[Results],
    baseline: str | None,
) -> tuple[list[Subgrouped], list[str]]:
    """Return each metric by each column, and a sentence for each column that a dataset lacks.

    Args:
        every: of the metrics, one for each definition (with its decoding) and metric.
        baseline: the backbone that others are compared with.
    """
    tables, lacking = list[Subgrouped](), dict[str, dict[str, list[str]]]()
    for units in stored:
        chosen = [r for r in every if r.task == units.task and units.dataset.id in r.columns]
        if not chosen:
            continue
        cases = dict(units.read([(r.definition, r.metric) for r in chosen]))
        for grouping in wanted:
            try:
                read = _with_column(units, cases, grouping.column)
                tables += _by_groups(units, read, grouping, chosen, baseline)
            except RefusedError as reason:
                reasons = lacking.setdefault(grouping.column, {})
                reasons.setdefault(str(reason), []).append(units.dataset.id)
    return tables, [
        f"No subgroups by {column} of {listed(datasets)}: {reason}."
        for column, reasons in lacking.items()
        for reason, datasets in reasons.items()
    ]


def _with_column(
    units: StoredUnits, cases: Mapping[Model, Cases | RefusedError], column: str
) -> _Read:
    """Return the models that stored a column, the same for all.

    Raises:
        RefusedError: none did.
    """
    models: dict[Model, tuple[Cases, NDArray[Any]]] = {}
    left = []
    first: tuple[Cases, NDArray[Any]] | None = None
    for model, predicted in cases.items():
        name = " with ".join(model)
        if isinstance(predicted, RefusedError):
            left.append(f"{name} is left out: {predicted}.")
            continue
        values = [
            columns_in(units.predictions(digest).arrays).get(column)
            for digest in units.models[model].values()
        ]
        if any(value is None or value.shape != predicted.ids.shape for value in values):
            left.append(f"{name} is left out: its predictions hold no {column}.")
            continue
        known = [value for value in values if value is not None]
        first = first or (predicted, known[0])
        same = all(_equal(value, first[1]) for value in known)
        if not same or not np.array_equal(predicted.ids, first[0].ids):
            left.append(f"{name} is left out: its {column} is not that of the other models.")
            continue
        models[model] = predicted, known[0]
    if not models:
        raise RefusedError(
            "no predictions hold it; declare it beside the data and run again with --force"
        )
    return _Read(models, left)


def _equal(a: NDArray[Any], b: NDArray[Any]) -> bool:
    if a.dtype.kind != b.dtype.kind:
        return False
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def _by_groups(
    units: StoredUnits,
    read: _Read,
    grouping: Subgrouping,
    every: Sequence[Results],
    baseline: str | None,
) -> Iterator[Subgrouped]:
    first, values = next(iter(read.models.values()))
    groups = groups_of(grouping, values, first.cluster)
    absent = _absent(units, first, groups)
    patients = None if first.groups is None else int(first.cluster.max()) + 1
    for results in every:
        score = (results.definition, results.metric)
        parts = {
            model: parts_of(cases, score, groups)
            for model, (cases, _) in read.models.items()
            if _has(cases, score)
        }
        models = {
            model: in_groups(groups, own, _rival(parts, model, baseline))
            for model, own in parts.items()
        }
        if models:
            yield Subgrouped(
                results, units.dataset.id, grouping, baseline, patients, models, absent, read.left
            )


def _has(cases: Cases, score: Score) -> bool:
    return score in cases.values or cases.logits is not None


def _rival(parts: Mapping[Model, Parts], model: Model, baseline: str | None) -> Parts | None:
    """Return the baseline's parts with the same adaptation; None of the baseline itself."""
    backbone, adaptation = model
    if baseline is None or backbone == baseline:
        return None
    return parts.get((baseline, adaptation))


def _absent(units: StoredUnits, cases: Cases, groups: Sequence[Group]) -> dict[str, list[str]]:
    """Return the classes that no case of a group is of, by group; those of labels too."""
    if cases.logits is None:
        return {}
    truth = cases.logits.truth
    names = units.names(truth.shape[1])
    absent = {
        group.name: [names[k] for k in np.flatnonzero(~truth[group.chosen].any(axis=0)).tolist()]
        for group in groups
    }
    return {group: classes for group, classes in absent.items() if classes}

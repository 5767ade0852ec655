"""How each dataset's models hold under corruptions of the test images."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from omnibench.report.balanced_errors import Severities, balanced_errors_of
from omnibench.report.results import Results
from omnibench.report.stored_units import Model
from omnibench.report.viewed import Finished, Shown, Viewed, finished_units
from omnibench.stats.influence import Influence
from omnibench.stats.result import RefusedError
from omnibench.stats.shift import (
    Measured,
    mean_of,
    ratio,
    ratio_to,
    scaled,
    values_only,
    worst,
)
from omnibench.task import POINTS
from omnibench.views import Corrupted

if TYPE_CHECKING:
    from omnibench.report.study import Study


@dataclass(frozen=True, eq=False)
class Hardiness:
    """One model under corruptions.

    Attributes:
        by_severity: corruption -> severity -> the metric.
        clean: the metric on the test images as they are.
        by_corruption: its mean over severities.
        mean: of these over corruptions.
        worst: the corruption under which it is worst; None of a single one.
        drop: (clean - mean) / (clean - chance); why it has none.
        error_ratio: mean over corruptions of its error over the baseline's; why it has none.
        be, rbe: MedMNIST-C's balanced error and relative balanced error; None where its list was
            not run whole or the task has no balanced accuracy.
        reason: why nothing has an interval.
    """

    by_severity: Mapping[str, Mapping[int, Measured]]
    clean: Measured
    by_corruption: Mapping[str, Measured]
    mean: Measured
    worst: str | None
    drop: Measured | RefusedError
    error_ratio: Measured | RefusedError | None
    be: Measured | None = None
    rbe: Measured | None = None
    reason: RefusedError | None = None


@dataclass(frozen=True, eq=False)
class CorruptedDataset:
    """The models of one dataset that were tested on the same corruptions.

    Attributes:
        results: of the metric, which say its unit and direction.
        chance: what a guess scores; None where that is not known.
        baseline: whose errors others are divided by; None without one.
        severities: corruption -> those that its mean is over.
    """

    results: Results
    dataset: str
    chance: float | None
    baseline: str | None
    severities: Mapping[str, Severities]
    models: Mapping[Model, Hardiness]

    @property
    def falling(self) -> bool:
        """Return whether less is better."""
        return self.results.metric in self.results.lower_is_better


def corrupted_datasets(study: "Study") -> Iterator[CorruptedDataset]:
    """Yield the primary metric of each dataset whose models were tested on corrupted images."""
    for results in study.primary.values():
        groups: dict[tuple[str, tuple[tuple[str, Severities], ...]], list[Finished]] = {}
        for finished in finished_units(study, results):
            if severities := _severities(finished):
                place = (finished.unit.dataset.id, tuple(severities.items()))
                groups.setdefault(place, []).append(finished)
        for (dataset, severities_of), units in groups.items():
            yield _dataset(study, results, dataset, dict(severities_of), units)


def _severities(finished: Finished) -> dict[str, Severities]:
    severities: dict[str, list[int]] = {}
    for view in finished.unit.views:
        if isinstance(view, Corrupted):
            severities.setdefault(view.corruption, []).append(view.severity)
    return {name: tuple(sorted(numbers)) for name, numbers in severities.items()}


def _dataset(
    study: "Study",
    results: Results,
    dataset: str,
    severities: Mapping[str, Severities],
    units: Sequence[Finished],
) -> CorruptedDataset:
    score = (results.definition, results.metric)
    truth = study.truths.get((results.task, dataset))
    chance = truth.chances.get("/".join(score)) if truth else None
    views = ["", *(f"{name}-{s}" for name, numbers in severities.items() for s in numbers)]
    every = {
        (f.unit.backbone.id, f.unit.short): f.read(score, views, study.predictions) for f in units
    }
    falling = results.metric in results.lower_is_better
    unit = results.unit
    models = {}
    for finished, (model, viewed) in zip(units, every.items(), strict=True):
        rival = every.get((study.baseline or "", model[1]))
        made = _hardiness(viewed, rival, severities, chance and chance.value, falling, unit)
        be, rbe = balanced_errors_of(finished, severities, study.predictions)
        models[model] = replace(made, be=be, rbe=rbe)
    baseline = study.baseline if any(name == study.baseline for name, _ in models) else None
    return CorruptedDataset(
        results, dataset, chance.value if chance else None, baseline, severities, models
    )


def _hardiness(
    viewed: Viewed,
    rival: Viewed | None,
    severities: Mapping[str, Severities],
    chance: float | None,
    falling: bool,
    unit: str,
) -> Hardiness:
    clean = viewed.metrics[""]
    means = _means(viewed, severities)
    mean = mean_of(list(means.values()))
    shown = Shown(viewed.reason)
    named = {name: metric for name, metric in means.items() if _defined(metric)}
    return Hardiness(
        by_severity={
            name: {s: shown(viewed.metrics[f"{name}-{s}"]) for s in numbers}
            for name, numbers in severities.items()
        },
        clean=shown(clean),
        by_corruption={name: shown(metric) for name, metric in means.items()},
        mean=shown(mean),
        worst=worst(named, falling) if len(named) > 1 else None,
        drop=_drop(clean, mean, chance, falling, shown),
        error_ratio=_error_ratio(means, viewed, rival, severities, falling, unit),
        reason=viewed.reason,
    )


def _means(viewed: Viewed, severities: Mapping[str, Severities]) -> dict[str, Influence]:
    return {
        name: mean_of([viewed.metrics[f"{name}-{s}"] for s in numbers])
        for name, numbers in severities.items()
    }


def _defined(metric: Influence) -> bool:
    return math.isfinite(float(metric.values.mean()))


def _drop(
    clean: Influence, mean: Influence, chance: float | None, falling: bool, shown: Shown
) -> Measured | RefusedError:
    if chance is None:
        return RefusedError("what a guess scores is not known")
    sign = -1.0 if falling else 1.0
    try:
        lost, whole = scaled(clean.minus(mean), sign), scaled(clean, sign, -sign * chance)
        return shown(ratio(lost, whole))
    except RefusedError:
        return RefusedError("it is not better than a guess on the test images as they are")


def _error_ratio(
    means: Mapping[str, Influence],
    viewed: Viewed,
    rival: Viewed | None,
    severities: Mapping[str, Severities],
    falling: bool,
    unit: str,
) -> Measured | RefusedError | None:
    """Return the mean over corruptions of errors over the baseline's; None without a baseline.

    Source:
        Hendrycks & Dietterich 2019 (arXiv:1903.12261), with the suite's baseline for AlexNet.
    """
    if rival is None:
        return None
    if rival is viewed:
        return Measured(1.0, RefusedError("it is the baseline"))
    if not falling and unit != POINTS:
        return RefusedError("the metric has no largest value, and so no error")
    own, other = (
        [metric if falling else scaled(metric, -1.0, 1.0) for metric in some.values()]
        for some in (means, _means(rival, severities))
    )
    reason = viewed.reason or rival.reason
    if reason is None and own[0].rows.shape[1] != other[0].rows.shape[1]:
        reason = RefusedError("it was not tested on the same patients as the baseline")
    try:
        if reason is None:
            return ratio_to(own, other)
        bare = [[values_only(metric.values) for metric in some] for some in (own, other)]
        return Measured(ratio_to(*bare).value, reason)
    except RefusedError:
        return RefusedError("the baseline makes no error under some corruption")

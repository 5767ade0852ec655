"""Calibration of a unit's stored logits on its test cases: four numbers, each with its interval."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from omnibench.stats.cases import Cases, Logits
from omnibench.stats.influence import Bools, Influence, Patients
from omnibench.stats.over_patients import Measure, over_patients
from omnibench.stats.recalibration import Fitted, intercept, slope
from omnibench.stats.reliability import Moved, squared_calibration_error
from omnibench.stats.result import Floats, RefusedError

Part = Influence | RefusedError
Formula = Callable[[Floats, Bools, Patients], Moved]


@dataclass(frozen=True, eq=False)
class Calibration:
    """The calibration of a unit.

    Attributes:
        slope, intercept: means over those of `slopes` and `intercepts` that are defined.
        slopes, intercepts: of each class or label of `columns_of`, by its index.
        error: the root of the debiased squared calibration error of the largest probability; of
            labels that of the mean over labels.
        brier: the squared error summed over classes, 0..2; of labels its mean, 0..1.
    """

    slope: Measure
    intercept: Measure
    slopes: Mapping[int, Measure]
    intercepts: Mapping[int, Measure]
    error: Measure
    brier: Measure


def calibration(cases: Cases) -> Calibration:
    """Return the calibration of what a unit predicted.

    Raises:
        RefusedError: no logits are stored, or all cases are of one patient.
    """
    logits, patients = cases.logits, patients_of(cases)
    if logits is None:
        raise RefusedError("no logits are stored")
    odds = {k: log_odds(logits, k) for k in columns_of(logits)}
    slopes, intercepts = (
        {k: _fitted(formula, z, logits.truth[:, k], patients) for k, z in odds.items()}
        for formula in (slope, intercept)
    )
    error = _measure(_error(logits, patients))
    return Calibration(
        slope=_measure(_mean(slopes.values())),
        intercept=_measure(_mean(intercepts.values())),
        slopes={k: _measure(part) for k, part in slopes.items()},
        intercepts={k: _measure(part) for k, part in intercepts.items()},
        error=error if isinstance(error, RefusedError) else error.root,
        brier=over_patients(patients.mean(_squared_errors(logits))),
    )


def patients_of(cases: Cases) -> Patients:
    """Return who all test cases are of.

    Raises:
        RefusedError: they are of one patient.
    """
    patients = Patients.of_cases(cases.cluster, np.ones(len(cases.ids), np.bool_))
    if patients.total < 2:
        raise RefusedError("all test cases are of one patient, who tells nothing of others")
    return patients


def columns_of(logits: Logits) -> Sequence[int]:
    """Return the classes or labels to tell of: of two classes the second, as the first mirrors."""
    count = logits.values.shape[2]
    return (1,) if count == 2 and not logits.multi_label else range(count)


def log_odds(logits: Logits, column: int) -> Floats:
    """Return the log-odds [R, N] that repetitions give a class against the rest, or a label."""
    values = logits.values.astype(np.float64)
    if logits.multi_label:
        return values[:, :, column]
    # As log-sum-exp; a probability near 1 has too few digits to tell its odds from.
    others = np.delete(values, column, axis=2)
    largest = others.max(axis=2)
    rest = largest + np.log(np.exp(others - largest[:, :, None]).sum(axis=2))
    odds: Floats = values[:, :, column] - rest
    return odds


def probabilities(logits: Logits, column: int) -> Floats:
    """Return the probabilities [R, N] that repetitions give a class or a label."""
    return _sigmoid(log_odds(logits, column))


def _error(logits: Logits, patients: Patients) -> Part:
    if logits.multi_label:
        return _mean(
            [
                _repeated(squared_calibration_error, probabilities(logits, k), truth, patients)
                for k, truth in enumerate(logits.truth.T)
            ]
        )
    shares = logits.probabilities
    right = shares.argmax(axis=2) == logits.labels
    return _repeated(squared_calibration_error, shares.max(axis=2), right, patients)


def _squared_errors(logits: Logits) -> Floats:
    """Return the squared error of each case, [R, N]."""
    if not logits.multi_label:
        return logits.squared_errors
    errors: Floats = ((_sigmoid(logits.values) - logits.truth) ** 2).mean(axis=2)
    return errors


def _sigmoid(values: Floats) -> Floats:
    shares: Floats = np.exp(-np.logaddexp(0, -values.astype(np.float64)))
    return shares


def _fitted(
    formula: Callable[[Floats, Bools, Patients], Fitted],
    values: Floats,
    truth: Bools,
    patients: Patients,
) -> Part:
    """Return what all repetitions, [R, N], are fitted, or why they cannot be."""
    try:
        return patients.centred(*formula(values, truth, patients))
    except RefusedError as reason:
        return reason


def _repeated(formula: Formula, values: Floats, truth: Bools, patients: Patients) -> Part:
    """Return a measure of each repetition, or why one has none.

    Args:
        values: [R, N]; truth: [N], or [R, N].
    """
    truths = np.broadcast_to(truth, values.shape)
    try:
        moved = [formula(*each, patients) for each in zip(values, truths, strict=True)]
    except RefusedError as reason:
        return reason
    return patients.centred(
        np.array([value for value, _ in moved]), np.stack([changes for _, changes in moved])
    )


def _mean(parts: Collection[Part]) -> Part:
    """Return the mean of those that are defined; the first reason where none is."""
    defined = [part for part in parts if isinstance(part, Influence)]
    if not defined:
        return next(part for part in parts if isinstance(part, RefusedError))
    return Influence(
        np.mean([part.values for part in defined], axis=0),
        np.mean([part.rows for part in defined], axis=0),
        defined[0].patients,
    )


def _measure(part: Part) -> Measure:
    return part if isinstance(part, RefusedError) else over_patients(part)

"""Calibration slope and intercept: how a class's log-odds would have to be stretched and shifted.

Of a calibrated model the slope is 1 and the intercept 0. A slope below 1: predictions are too
extreme. An intercept below 0: the class is predicted more often than it occurs.
"""

import numpy as np

from omnibench.stats.influence import Bools, Patients
from omnibench.stats.result import Floats, RefusedError

FEWEST = 5  # cases of a class, and of the rest, below which a fit says next to nothing
_STEPS, _HALVINGS = 100, 60
_DONE = 1e-8  # of a Newton step, whose next one would be the square of it
_FLAT = 1e-12  # a curvature that is none

Moved = tuple[float, Floats]  # a value, and its change [G] when each patient is left out


def slope(log_odds: Floats, truth: Bools, patients: Patients) -> Moved:
    """Return b of the logistic regression logit P(truth) = a + b * log-odds.

    Args:
        log_odds: [N] predicted for the class.
        truth: [N], whether a case is of it.
        patients: of all N cases.

    Raises:
        RefusedError: the class or the rest is too small, the log-odds are all the same, or they
            separate the class from the rest, so that no slope is the best.

    Source:
        Cox 1958, Two further applications of a model for binary regression; leaving patients out
        by one Newton step: Pregibon 1981, Logistic regression diagnostics, section 4.
    """
    _refuse_few(truth, patients)
    inside, outside = log_odds[truth], log_odds[~truth]
    if np.ptp(log_odds) == 0:
        raise RefusedError("all cases have the same probability of it")
    if inside.min() >= outside.max() or inside.max() <= outside.min():
        raise RefusedError("its cases are separated from all others without an error")
    scale = float(log_odds.std())
    design = np.column_stack([np.ones(len(log_odds)), log_odds / scale])
    value, changes = _fit(design, np.zeros(len(log_odds)), truth, patients)
    return float(value[1]) / scale, changes[:, 1] / scale


def intercept(log_odds: Floats, truth: Bools, patients: Patients) -> Moved:
    """Return a of logit P(truth) = a + log-odds, the slope held at 1 ("calibration in the large").

    Args, Raises:
        As `slope`; log-odds that separate are no reason here.

    Source:
        Van Calster et al. 2019, Calibration: the Achilles heel of predictive analytics.
    """
    _refuse_few(truth, patients)
    value, changes = _fit(np.ones((len(log_odds), 1)), log_odds, truth, patients)
    return float(value[0]), changes[:, 0]


def _refuse_few(truth: Bools, patients: Patients) -> None:
    for some, which in ((truth, "of it"), (~truth, "of any other")):
        count = int(some.sum())
        if count == 0:
            raise RefusedError(f"there is no test case {which}")
        if count < FEWEST:
            raise RefusedError(f"there are {count} test cases {which}, fewer than {FEWEST}")
        if np.ptp(patients.cluster[some]) == 0:
            raise RefusedError(f"the test cases {which} are of one patient")


def _fit(design: Floats, offset: Floats, truth: Bools, patients: Patients) -> tuple[Floats, Floats]:
    """Return the coefficients [P] of largest likelihood, and their changes [G, P].

    A change is one Newton step from the fit of all patients to that without each.

    Args:
        design: [N, P]; offset: [N], added to the log-odds.
    """
    beta: Floats = np.zeros(design.shape[1])
    likelihood = _likelihood(offset, truth)
    for _ in range(_STEPS):
        predicted = _probabilities(design @ beta + offset)
        # Where every probability is 0 or 1 to the last digit there would be no curvature.
        weights = np.maximum(predicted * (1 - predicted), _FLAT)
        curvature = design.T @ (design * weights[:, None])
        step = np.asarray(np.linalg.solve(curvature, design.T @ (truth - predicted)), np.float64)
        if np.abs(step).max() < _DONE:
            break
        # Halved until the likelihood does not fall.
        for _ in range(_HALVINGS):
            moved = _likelihood(design @ (beta + step) + offset, truth)
            if moved >= likelihood:
                break
            step /= 2
        beta, likelihood = beta + step, moved
    predicted = _probabilities(design @ beta + offset)
    outer = design[:, :, None] * design[:, None, :]
    scores = patients.sums(design * (truth - predicted)[:, None])
    information = patients.sums(outer * (predicted * (1 - predicted))[:, None, None])
    rest = information.sum(axis=0) - information + _FLAT * np.eye(len(beta))
    return beta, -np.linalg.solve(rest, scores[:, :, None])[:, :, 0]


def _probabilities(log_odds: Floats) -> Floats:
    # Beyond these a probability is 0 or 1 to the last digit, and exp overflows.
    shares: Floats = 1 / (1 + np.exp(-np.clip(log_odds, -700, 700)))
    return shares


def _likelihood(log_odds: Floats, truth: Bools) -> float:
    return float(-np.logaddexp(0, np.where(truth, -log_odds, log_odds)).sum())

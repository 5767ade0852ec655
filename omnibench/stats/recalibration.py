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
_ROUNDING = 1e-13  # of a likelihood, by which it seems to fall at its largest

Fitted = tuple[Floats, Floats]  # values [R], their changes [R, G] when each patient is left out


def slope(log_odds: Floats, truth: Bools, patients: Patients) -> Fitted:
    """Return b of the logistic regression logit P(truth) = a + b * log-odds.

    Args:
        log_odds: [R, N] that each repetition predicts for the class.
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
    for each in log_odds:
        inside, outside = each[truth], each[~truth]
        if np.ptp(each) == 0:
            raise RefusedError("all cases have the same probability of it")
        if inside.min() >= outside.max() or inside.max() <= outside.min():
            raise RefusedError("its cases are separated from all others without an error")
    scale = log_odds.std(axis=1)
    design = np.stack([np.ones_like(log_odds), log_odds / scale[:, None]], axis=2)
    values, changes = _fit(design, np.zeros_like(log_odds), truth, patients)
    return values[:, 1] / scale, changes[:, :, 1] / scale[:, None]


def intercept(log_odds: Floats, truth: Bools, patients: Patients) -> Fitted:
    """Return a of logit P(truth) = a + log-odds, the slope held at 1 ("calibration in the large").

    Args, Raises:
        As `slope`; log-odds that separate are no reason here.

    Source:
        Van Calster et al. 2019, Calibration: the Achilles heel of predictive analytics.
    """
    _refuse_few(truth, patients)
    values, changes = _fit(np.ones((*log_odds.shape, 1)), log_odds, truth, patients)
    return values[:, 0], changes[:, :, 0]


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
    """Return the coefficients [R, P] of largest likelihood, and their changes [R, G, P].

    A change is one Newton step from the fit of all patients to that without each. Repetitions are
    fitted side by side.

    Args:
        design: [R, N, P]; offset: [R, N], added to the log-odds.
    """
    beta: Floats = np.zeros((len(design), design.shape[2]))
    likelihood = _likelihood(offset, truth)
    for _ in range(_STEPS):
        predicted = _probabilities(_odds(design, beta, offset))
        # Where every probability is 0 or 1 to the last digit there would be no curvature.
        weights = np.maximum(predicted * (1 - predicted), _FLAT)
        curvature = np.einsum("rnp,rn,rnq->rpq", design, weights, design)
        gradient = np.einsum("rnp,rn->rp", design, truth - predicted)
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        if np.abs(step).max() < _DONE:
            break
        # Halved until the likelihood does not fall.
        for _ in range(_HALVINGS):
            moved = _likelihood(_odds(design, beta + step, offset), truth)
            falls = moved < likelihood - _ROUNDING * np.abs(likelihood)
            if not falls.any():
                break
            step[falls] /= 2
        beta, likelihood = beta + step, moved
    predicted = _probabilities(_odds(design, beta, offset))
    by_case = design.transpose(1, 0, 2)  # [N, R, P]
    weights = (predicted * (1 - predicted)).T[:, :, None, None]
    scores = patients.sums(by_case * (truth - predicted).T[:, :, None])
    information = patients.sums(by_case[..., None] * by_case[..., None, :] * weights)
    rest = information.sum(axis=0) - information + _FLAT * np.eye(beta.shape[1])
    changes: Floats = -np.linalg.solve(rest, scores[..., None])[..., 0]
    return beta, changes.transpose(1, 0, 2)


def _odds(design: Floats, beta: Floats, offset: Floats) -> Floats:
    odds: Floats = np.einsum("rnp,rp->rn", design, beta) + offset
    return odds


def _probabilities(log_odds: Floats) -> Floats:
    # Beyond these a probability is 0 or 1 to the last digit, and exp overflows.
    shares: Floats = 1 / (1 + np.exp(-np.clip(log_odds, -700, 700)))
    return shares


def _likelihood(log_odds: Floats, truth: Bools) -> Floats:
    sums: Floats = -np.logaddexp(0, np.where(truth, -log_odds, log_odds)).sum(axis=1)
    return sums

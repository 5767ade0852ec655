"""Maximum likelihood of every voxel at once: Levenberg-Marquardt steps within bounds."""

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import i0e, i1e

from omnibench.data.ivim.model import SCALES, Floats, jacobian, signal
from omnibench.data.ivim.protocol import Protocol

from .options import Likelihood

VERSION = 1  # of labels that are kept: raised when other numbers come
LOWER = np.array([0.0, 0.0, 0.0, 0.0])
UPPER = np.array([3.0, 1.0, 5.0, 300.0])
# f, Ds and Df of the signals among which each voxel's start is looked for.
STARTS = ((0.05, 0.2, 0.35, 0.5, 0.7), (0.3, 0.7, 1.2, 1.8, 2.6), (8.0, 20.0, 45.0, 90.0, 180.0))
STEPS = 500
CLOSE = 1e-9  # a fall of the negative log-likelihood after which a voxel is done
STUCK = 1e8  # damping under which nothing better was found


class Fit(NamedTuple):
    """Parameters [N, 4], and whether each voxel [N] came to an end within STEPS."""

    parameters: Floats
    ended: NDArray[np.bool_]


class Slopes(NamedTuple):
    """Of signals [N, B]: the loss summed over b [N]; its slope and its curvature [N, B]."""

    loss: Floats
    slope: Floats
    curvature: Floats


def gaussian(expected: Floats, measured: Floats) -> Slopes:
    """Return half the square of the difference; all in units of sigma."""
    difference = expected - measured
    return Slopes((difference**2).sum(axis=1) / 2, difference, np.ones_like(difference))


def rician(expected: Floats, measured: Floats) -> Slopes:
    """Return the negative logarithm of the Rician density, without what is constant.

    The curvature is x^2 / (1 + x^2), about the Fisher information: it decides how large steps are,
    not where they end.
    """
    argument = expected * measured
    ratio = i1e(argument) / i0e(argument)
    loss = ((expected - measured) ** 2 / 2 - np.log(i0e(argument))).sum(axis=1)
    return Slopes(loss, expected - measured * ratio, expected**2 / (1 + expected**2))


LOSSES: Mapping[Likelihood, Callable[[Floats, Floats], Slopes]] = {
    "rician": rician,
    "gaussian": gaussian,
}


def fit(signals: NDArray[np.floating[Any]], protocol: Protocol, likelihood: Likelihood) -> Fit:
    """Return the parameters of maximum likelihood of signals [N, B], sigma being known.

    Each voxel starts at the best of STARTS by least squares. A parameter at a bound is held there
    while the loss falls beyond it (Bertsekas 1982, Projected Newton methods).
    """
    b_values, measured = np.array(protocol.b_values), signals.astype(np.float64)
    loss, sigma = LOSSES[likelihood], protocol.sigma
    best = start(measured, b_values)
    damping, ended = np.full(len(best), 1e-2), np.zeros(len(best), bool)
    for _ in range(STEPS):
        (rows,) = np.nonzero(~ended)
        if not len(rows):
            break
        own, target = best[rows], measured[rows] / sigma
        here = loss(signal(own, b_values) / sigma, target)
        slopes = jacobian(own, b_values) * SCALES / sigma
        trial = np.clip(own + step(here, slopes, own, damping[rows]) * SCALES, LOWER, UPPER)
        fall = here.loss - loss(signal(trial, b_values) / sigma, target).loss
        better = fall > 0
        best[rows] = np.where(better[:, None], trial, own)
        damping[rows] *= np.where(better, 0.1, 5.0)
        ended[rows] = (better & (fall < CLOSE)) | (damping[rows] > STUCK)
    return Fit(best, ended)


def start(measured: Floats, b_values: Floats) -> Floats:
    """Return for signals [N, B] the nearest of STARTS, each with its best S0."""
    grid = np.array([(1.0, *values) for values in product(*STARTS)])
    shapes = signal(grid, b_values)
    along = np.einsum("nb,kb->nk", measured, shapes)
    lengths = (shapes**2).sum(axis=1)
    nearest = (along**2 / lengths).argmax(axis=1)  # signals are 0 or more, so along is
    parameters: Floats = grid[nearest]
    amplitude = np.take_along_axis(along, nearest[:, None], axis=1)[:, 0] / lengths[nearest]
    parameters[:, 0] = np.clip(amplitude, LOWER[0], UPPER[0])
    return parameters


def step(here: Slopes, slopes: Floats, parameters: Floats, damping: Floats) -> Floats:
    """Return the damped step [N, 4] in units of the scales; 0 of what is held at a bound."""
    slope = np.einsum("nb,nbi->ni", here.slope, slopes)
    held = ((parameters <= LOWER) & (slope > 0)) | ((parameters >= UPPER) & (slope < 0))
    curvature = np.einsum("nb,nbi,nbj->nij", here.curvature, slopes, slopes)
    free = ~held[:, :, None] & ~held[:, None, :]
    diagonal = np.where(held, 1.0, np.einsum("nii->ni", curvature) * (1 + damping[:, None]) + 1e-9)
    matrix = np.where(free, curvature, 0.0)
    places = np.arange(matrix.shape[1])
    matrix[:, places, places] = diagonal
    right = np.where(held, 0.0, -slope)
    solved: Floats = np.linalg.solve(matrix, right[..., None])[..., 0]
    return solved

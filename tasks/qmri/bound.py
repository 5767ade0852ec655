"""The Cramer-Rao bound: how little estimates without bias can vary, under Rician noise."""

import numpy as np
from scipy.special import i0e, i1e

from omnibench.data.ivim.model import SCALES, Floats, jacobian, signal
from omnibench.data.ivim.protocol import Protocol
from omnibench.errors import DataError

REACH, NODES = 10.0, 400  # standard deviations around a signal, and points of the quadrature
WORST = 1e12  # condition number of an information that can still be inverted


def information(ratio: Floats) -> Floats:
    """Return the Fisher information of a magnitude about its signal, in units of 1 / sigma^2.

    The expectation of (r I1(r x) / I0(r x) - x)^2 over a Rician r, by Gauss-Legendre quadrature;
    it goes from 0 to 1, which it is of Gaussian noise.

    Args:
        ratio: [...] x, the signal over sigma.
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    x = ratio[..., None]
    low = np.maximum(x - REACH, 0)
    half = (x + REACH - low) / 2
    r = low + half * (nodes + 1)
    density = r * np.exp(-((r - x) ** 2) / 2) * i0e(r * x)
    score = r * i1e(r * x) / i0e(r * x) - x
    information: Floats = (half * weights * density * score**2).sum(axis=-1)
    return information


def cramer_rao(parameters: Floats, protocol: Protocol) -> Floats:
    """Return the bound [N, 4] of the variances at true parameters [N, 4].

    Raises:
        DataError: at one of them the b-values cannot tell the parameters apart.
    """
    b_values, sigma = np.array(protocol.b_values), protocol.sigma
    slopes = jacobian(parameters, b_values) * SCALES
    weights = information(signal(parameters, b_values) / sigma) / sigma**2
    whole = np.einsum("nb,nbi,nbj->nij", weights, slopes, slopes)
    if (worst := np.linalg.cond(whole)).max() > WORST:
        values = ", ".join(f"{value:g}" for value in parameters[int(worst.argmax())])
        raise DataError(
            f"the b-values {', '.join(f'{b:g}' for b in b_values)} cannot tell the parameters "
            f"{values} (S0, f, Ds, Df) from others; measure at more b-values"
        )
    bound: Floats = np.diagonal(np.linalg.inv(whole), axis1=1, axis2=2) * SCALES**2
    return bound

"""How uncertain a classifier is of each case, by several rules; the higher, the less certain.

A rule ranks cases: what it is in does not matter. So each is written in a form that does not
saturate where a probability is nearly 1.
"""

from collections.abc import Callable, Mapping

import numpy as np

from omnibench.stats.rates import Reals
from omnibench.stats.result import Floats

# Energies closer than this are the rounding of float32 logits that are log-probabilities.
_NO_ENERGY = 1e-4


def msp(logits: Reals) -> Floats:
    """Return the odds against the most probable class, which rank as 1 - its probability: [...].

    Args:
        logits: [..., C].

    Source:
        Hendrycks & Gimpel 2017, maximum softmax probability.
    """
    odds: Floats = _others(logits).sum(axis=-1)
    return odds


def entropy(logits: Reals) -> Floats:
    """Return the entropy of the softmax of logits [..., C], in nats: [...]."""
    others = _others(logits)
    wide = np.asarray(logits, np.float64)
    surprise = wide.max(axis=-1, keepdims=True) - wide
    surprise += np.log1p(others.sum(axis=-1, keepdims=True))  # -log p of each class
    uncertainty: Floats = (np.exp(-surprise) * surprise).sum(axis=-1)
    return uncertainty


def margin(logits: Reals) -> Floats:
    """Return 1 less the gap of the two largest probabilities of logits [..., C]: [...]."""
    others = _others(logits)
    rest = others.sum(axis=-1)
    uncertainty: Floats = (rest + others.max(axis=-1)) / (1 + rest)
    return uncertainty


def energy(logits: Reals) -> Floats:
    """Return the negative log of the summed exponentials of logits [..., C]: [...].

    Logits that are log-probabilities have one energy, 0, and tell nothing.

    Source:
        Liu et al. 2020, Energy-based out-of-distribution detection, at temperature 1.
    """
    wide = np.asarray(logits, np.float64)
    energies: Floats = -(wide.max(axis=-1) + np.log1p(_others(logits).sum(axis=-1)))
    return np.zeros_like(energies) if np.ptp(energies) < _NO_ENERGY else energies


def vacuity(evidence: Reals) -> Floats:
    """Return K / sum of (evidence + 1) over the K classes of [..., K]: 1 without any evidence.

    Source:
        Sensoy, Kaplan & Kandemir 2018, Evidential deep learning, eq. 1.
    """
    wide = np.asarray(evidence, np.float64)
    uncertainty: Floats = wide.shape[-1] / (wide + 1).sum(axis=-1)
    return uncertainty


def mutual_information(logits: Reals) -> Floats:
    """Return how much the R members of an ensemble disagree on each case, in nats: [N].

    It is the entropy of their mean probability less their mean entropy.

    Args:
        logits: [R, N, C].

    Source:
        Depeweg et al. 2018, Decomposition of uncertainty in Bayesian deep learning, eq. 8.
    """
    information: Floats = entropy(ensemble(logits)) - entropy(logits).mean(axis=0)
    return information


def ensemble(logits: Reals) -> Floats:
    """Return the log of the mean probability of an ensemble's members: [R, N, C] -> [N, C]."""
    wide = np.asarray(logits, np.float64)
    shares = wide - wide.max(axis=-1, keepdims=True)
    shares -= np.log(np.exp(shares).sum(axis=-1, keepdims=True))
    mean: Floats = np.logaddexp.reduce(shares, axis=0) - np.log(len(shares))
    return mean


def of_two(odds: Reals) -> Floats:
    """Return the log-odds [...] of labels as logits of two classes: [..., 2]."""
    wide = np.asarray(odds, np.float64)
    return np.stack([np.zeros_like(wide), wide], axis=-1)


RULES: Mapping[str, Callable[[Reals], Floats]] = {
    "msp": msp,
    "entropy": entropy,
    "margin": margin,
    "energy": energy,
}


def _others(logits: Reals) -> Floats:
    """Return the probability of each class over that of the most probable one, whose own is 0."""
    wide = np.asarray(logits, np.float64)
    powers: Floats = np.exp(wide - wide.max(axis=-1, keepdims=True))
    np.put_along_axis(powers, wide.argmax(axis=-1)[..., None], 0.0, axis=-1)
    return powers

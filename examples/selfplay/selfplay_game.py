"""The game by which System II thinks: two players choose patches, a verifier names the winner.

The verifier's evidence e [P] is its logit of each patch alone, less the mean and over the standard
deviation of those of the patches of training images that lack the object. No torch.
"""

from collections.abc import Collection

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

RATE = 0.2  # of a policy's logit of one patch, an update
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def value(chosen: Bools, evidence: Floats) -> Floats:
    """Return what the verifier says of sets [..., P] of n patches: sum of e / sqrt(n); 0 of none.

    It is the z-score of the logit of their pooled tokens, were they patches without the object. If
    e is c of each patch of the object and -c of the others, the object alone has the highest value.
    """
    values: Floats = chosen @ evidence / np.sqrt(np.maximum(chosen.sum(axis=-1), 1))
    return values


def best_threshold(evidence: Floats) -> Bools:
    """Return the set [P] of highest value, always the k patches of most evidence, k from 0 to P."""
    order = np.argsort(-evidence, kind="stable")
    tops = np.tri(len(order) + 1, len(order), k=-1, dtype=bool)
    chosen = np.zeros(len(order), bool)
    chosen[order] = tops[value(tops, evidence[order]).argmax()]
    return chosen


def reinforce(tokens: Floats, logits: Floats, evidence: Floats, random: Generator) -> Floats:
    """Return REINFORCE's estimates [D] of both players' slopes of what they win, added up.

    Each draws a set, in which each patch is with probability sigmoid(logits); that of higher value
    wins 1, the other loses 1. Of the slopes of log p, tokens times (set - p), what p adds cancels.
    """
    drawn = random.random((2, len(logits))) < 1 / (1 + np.exp(-logits))
    won = np.sign(np.subtract(*value(drawn, evidence)))
    slopes: Floats = won * (drawn[0] * 1.0 - drawn[1]) @ tokens
    return slopes


def self_play(
    tokens: Floats, start: Floats, evidence: Floats, updates: Collection[int], random: Generator
) -> dict[int, Bools]:
    """Return the patches [P] of positive logits start + tokens @ w after each number of updates.

    Args:
        tokens: [P, D]; w, the policy of both players, is 0 at first.
        start: [P], System I's logits on a scale of about 1.
    """
    weights, chosen = np.zeros(tokens.shape[1]), {}
    for update in range(max(updates) + 1):
        logits = start + tokens @ weights
        if update in updates:
            chosen[update] = logits > 0
        weights += RATE / len(weights) * reinforce(tokens, logits, evidence, random)
    return chosen

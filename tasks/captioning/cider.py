"""CIDEr-D (Vedantam, Zitnick and Parikh 2015, section 6): agreement in what is rare."""

import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .words import Words, ngrams, words

ORDERS = (1, 2, 3, 4)
SIGMA = 6.0  # of the penalty on a different length, in words
SCALE = 10.0

Gram = tuple[str, ...]


def cider_d(references: Sequence[str], texts: Sequence[str]) -> NDArray[np.float64]:
    """Each caption's CIDEr-D against its one reference, [N], between 0 and 10.

    An n-gram w that stands k times in a text weighs g(w) = k log(N / max(1, d)), where d of the N
    references hold it. Over the n-grams of caption c and reference r, with l words each:

        10 / 4 sum over n of exp(-(l_c - l_r)^2 / (2 6^2)) sum_w min(g_c, g_r) g_r / (|g_c| |g_r|)

    The factor 10 is that of the authors' code; printed x 100 it is the number that papers give.
    An order in which a vector is zero adds 0: of an empty caption, of texts shorter than n words,
    and of n-grams that every reference holds. So a copy of a three-word reference scores at
    most 7.5, and all is 0 where there is but one reference, or N equal ones.
    """
    truths = [words(reference) for reference in references]
    held = Counter(gram for truth in truths for n in ORDERS for gram in set(ngrams(truth, n)))

    def rarity(gram: Gram) -> float:
        return math.log(len(truths) / max(1, held[gram]))

    pairs = zip(truths, map(words, texts), strict=True)
    return np.array([_score(truth, text, rarity) for truth, text in pairs], np.float64)


def _score(truth: Words, text: Words, rarity: Callable[[Gram], float]) -> float:
    total = sum(_similarity(*(_weights(side, n, rarity) for side in (truth, text))) for n in ORDERS)
    penalty = math.exp(-((len(text) - len(truth)) ** 2) / (2 * SIGMA**2))
    return SCALE * penalty * total / len(ORDERS)


def _weights(tokens: Words, n: int, rarity: Callable[[Gram], float]) -> dict[Gram, float]:
    return {gram: count * rarity(gram) for gram, count in Counter(ngrams(tokens, n)).items()}


def _similarity(truth: dict[Gram, float], text: dict[Gram, float]) -> float:
    """The clipped cosine: an n-gram said too often adds to the length alone."""
    lengths = math.hypot(*truth.values()) * math.hypot(*text.values())
    if not lengths:
        return 0.0
    return sum(min(text[gram], truth[gram]) * truth[gram] for gram in text.keys() & truth) / lengths

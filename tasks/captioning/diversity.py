"""How varied and how long generated captions are, whatever they say."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .words import ngrams, words


def distinct(texts: Sequence[str], n: int) -> float | None:
    """Distinct n-grams over all n-grams of the whole set (Li et al. 2016); None if it has none."""
    grams = [gram for text in texts for gram in ngrams(words(text), n)]
    return len(set(grams)) / len(grams) if grams else None


def distinct_captions(texts: Sequence[str]) -> float:
    """Distinct texts over texts: 1 / N of a model that says one sentence of every image."""
    return len({text.strip() for text in texts}) / len(texts)


def empty(texts: Sequence[str]) -> NDArray[np.float64]:
    """1 of each text without a word, else 0, [N]."""
    return np.array([not words(text) for text in texts], np.float64)


def lengths(texts: Sequence[str]) -> NDArray[np.float64]:
    """Words (13a tokens) of each text, [N]."""
    return np.array([len(words(text)) for text in texts], np.float64)


def length_ratio(references: Sequence[str], texts: Sequence[str]) -> float:
    """Words of all captions over words of all references."""
    return float(lengths(texts).sum() / lengths(references).sum())

"""ROUGE-L (Lin 2004), computed by rouge-score."""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


def rouge_l(references: Sequence[str], texts: Sequence[str]) -> NDArray[np.float64]:
    """Each caption's F-measure of the longest common subsequence, [N]; 0 of an empty caption.

    rouge-score lower-cases, keeps a-z and 0-9, and does not stem here. The metric is their plain
    mean, where the study took the median of bootstrapped means.
    """
    return np.array([_score(*pair) for pair in zip(references, texts, strict=True)], np.float64)


@lru_cache(maxsize=1 << 16)  # several definitions and comparisons score the same pairs
def _score(reference: str, text: str) -> float:
    return float(_scorer().score(reference, text)["rougeL"].fmeasure)


@cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer  # not at import: it loads nltk

    return RougeScorer(["rougeL"], use_stemmer=False)

"""Corpus BLEU (Papineni et al. 2002), counted by sacrebleu (Post 2018)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

ORDERS = 4


@dataclass(frozen=True)
class Bleu:
    """BLEU of a set of captions, in fractions.

    Attributes:
        cumulative: BLEU-1 to BLEU-4: the brevity penalty times the geometric mean of precisions.
        precisions: of 1- to 4-grams over the whole set, without a penalty.
    """

    cumulative: tuple[float, ...]
    precisions: tuple[float, ...]


def bleu(references: Sequence[str], texts: Sequence[str]) -> Bleu:
    """Score captions against one reference each: 13a tokens, case-sensitive, no smoothing.

    Matches and n-grams are summed over the set before they are divided. An order without a match,
    or without any n-gram (empty or short captions), has precision 0; every BLEU that includes it
    is then 0. BLEU-n equals sacrebleu's `corpus_score` with `max_ngram_order=n`.
    """
    from sacrebleu.metrics.bleu import BLEU  # not at import: `list` must start in a blink

    counted = np.zeros(2 * ORDERS + 2, np.int64)
    for pair in zip(references, texts, strict=True):
        counted += _counted(*pair)
    matches, grams = counted[:ORDERS].tolist(), counted[ORDERS : 2 * ORDERS].tolist()
    length, reference_length = counted[2 * ORDERS :].tolist()
    scored = [
        BLEU.compute_bleu(
            matches[:n],
            grams[:n],
            length,
            reference_length,
            smooth_method="none",
            max_ngram_order=n,
        )
        for n in range(1, ORDERS + 1)
    ]
    return Bleu(
        tuple(score.score / 100 for score in scored),
        tuple(precision / 100 for precision in scored[-1].precisions),
    )


@lru_cache(maxsize=1 << 16)  # several definitions and comparisons count the same pairs
def _counted(reference: str, text: str) -> NDArray[np.int64]:
    """Return matches and n-grams of each order, and the tokens of text and reference."""
    score = _metric().sentence_score(text, [reference])
    counts = [*score.counts, *score.totals, score.sys_len, score.ref_len]
    return np.array(counts, np.int64)


@cache
def _metric() -> Any:
    from sacrebleu.metrics.bleu import BLEU

    # `force` and `effective_order` only silence warnings: of sentences nothing but counts is taken.
    return BLEU(
        tokenize="13a",
        smooth_method="none",
        max_ngram_order=ORDERS,
        force=True,
        effective_order=True,
    )

"""Corpus BLEU (Papineni et al. 2002), counted by sacrebleu (Post 2018)."""

from collections.abc import Sequence
from dataclasses import dataclass

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

    # `force` only silences the warning about captions that end in " .".
    metric = BLEU(tokenize="13a", smooth_method="none", max_ngram_order=ORDERS, force=True)
    counted = metric.corpus_score(texts, [references])
    cumulative = (
        BLEU.compute_bleu(
            counted.counts[:n],
            counted.totals[:n],
            counted.sys_len,
            counted.ref_len,
            smooth_method="none",
            max_ngram_order=n,
        ).score
        for n in range(1, ORDERS + 1)
    )
    return Bleu(
        tuple(score / 100 for score in cumulative),
        tuple(precision / 100 for precision in counted.precisions),
    )

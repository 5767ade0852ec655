"""BLEU against sacrebleu's own corpus scores, and by hand."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from sacrebleu.metrics.bleu import BLEU

from omnibench.tasks.captioning.bleu import bleu
from tests.captioning.captioning_texts import pairs


@settings(max_examples=150)
@given(pairs())
def test_bleu_is_sacrebleus(case: Any) -> None:
    references, texts = case
    ours = bleu(references, texts)
    for n in (1, 2, 3, 4):
        theirs = BLEU(tokenize="13a", smooth_method="none", max_ngram_order=n, force=True)
        score = theirs.corpus_score(texts, [references])
        assert ours.cumulative[n - 1] == score.score / 100
        assert ours.precisions[:n] == tuple(p / 100 for p in score.precisions)


def test_by_hand() -> None:
    """6 words, 5 of them right; 5 bigrams, 3 right; 4 trigrams, 1 right; one word too few."""
    ours = bleu(["a small mass in the left lung"], ["a small cyst in the left"])
    assert ours.precisions == pytest.approx((5 / 6, 3 / 5, 1 / 4, 0))
    penalty = math.exp(1 - 7 / 6)
    expected = [penalty * 5 / 6, penalty * math.sqrt(1 / 2), penalty * (1 / 8) ** (1 / 3), 0]
    assert ours.cumulative == pytest.approx(expected)


def test_counts_are_summed_over_captions_first() -> None:
    ours = bleu(["one two three four five", "six"], ["one two three four five", "seven eight nine"])
    assert ours.precisions == pytest.approx((5 / 8, 4 / 6, 3 / 4, 2 / 2))


def test_case_counts_and_a_copy_is_perfect() -> None:
    assert bleu(["A mass in the lung"], ["a mass in the lung"]).precisions[0] == pytest.approx(0.8)
    assert bleu(["A mass in the lung"], ["A mass in the lung"]).cumulative == pytest.approx([1] * 4)


@pytest.mark.parametrize("texts", [["", ""], ["", "nothing alike"]])
def test_nothing_said_and_nothing_matched_is_0(texts: list[str]) -> None:
    ours = bleu(["a mass", "a cyst"], texts)
    assert ours.cumulative == ours.precisions == (0, 0, 0, 0)


def test_captions_too_short_for_an_order_are_0_there() -> None:
    ours = bleu(["a mass"] * 3, ["a mass", "a mass", ""])
    assert ours.precisions == (1, 1, 0, 0)
    assert ours.cumulative == pytest.approx((math.exp(1 - 6 / 4), math.exp(1 - 6 / 4), 0, 0))

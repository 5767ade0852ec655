"""ROUGE-L against rouge-score, and by hand."""

import numpy as np
import pytest
from captioning_texts import pairs
from hypothesis import given, settings
from omnibench.tasks.captioning.rouge import rouge_l
from rouge_score.rouge_scorer import RougeScorer


@settings(max_examples=60, deadline=None)
@given(pairs())
def test_rouge_l_is_rouge_scores(case):
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    expected = [scorer.score(r, t)["rougeL"].fmeasure for r, t in zip(*case, strict=True)]
    np.testing.assert_array_equal(rouge_l(*case), expected)


def test_by_hand():
    """In order in both: "a mass the lung", 4 of 5 and 4 of 6 words; then nothing said; no stem."""
    references = ["A mass in the lung.", "a mass", "masses"]
    found = rouge_l(references, ["a solid mass of the lung", "", "mass"])
    assert found == pytest.approx([2 * 4 / 11, 0, 0])

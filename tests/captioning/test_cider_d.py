"""CIDEr-D by hand, and against the formula in arrays over one vocabulary."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

from omnibench.tasks.captioning.cider import cider_d
from tests.captioning.captioning_texts import pairs


def by_arrays(references: Any, texts: Any) -> Any:
    """[N, vocabulary] matrices of tf-idf for each n, and the penalty from counts of bigrams."""
    split = Tokenizer13a()
    both = [
        [split(t).lower().split(" ") if split(t) else [] for t in s] for s in (references, texts)
    ]
    penalty = np.exp(
        -np.square([len(r) - len(t) for r, t in zip(*both, strict=True)], dtype=float) / 72
    )
    scores = []
    for n in (1, 2, 3, 4):
        grams = [
            [[" ".join(g) for g in zip(*(t[i:] for i in range(n)), strict=False)] for t in side]
            for side in both
        ]
        vocabulary = sorted({g for side in grams for text in side for g in text}) or ["none"]
        truth, said = (
            np.array([[text.count(g) for g in vocabulary] for text in side], float)
            for side in grams
        )
        idf = np.log(len(references)) - np.log(np.maximum(1, (truth > 0).sum(axis=0)))
        truth, said = truth * idf, said * idf
        norms = np.linalg.norm(truth, axis=1) * np.linalg.norm(said, axis=1)
        overlap = (np.minimum(truth, said) * truth).sum(axis=1)
        scores.append(np.where(norms > 0, overlap / np.where(norms > 0, norms, 1), 0))
    return 10 * np.mean(scores, axis=0) * penalty


@settings(max_examples=150)
@given(pairs())
def test_another_implementation_agrees(case: Any) -> None:
    actual = cider_d(*case)
    np.testing.assert_allclose(actual, by_arrays(*case), atol=1e-9)
    assert (actual >= 0).all() and (actual <= 10 + 1e-9).all()


def test_by_hand() -> None:
    """Two references: every n-gram of one weighs ln 2, but "mass", in both, weighs nothing.

    First pair: words a, a (k = 2), b against a, b, mass. Unigrams: g_c = (2, 1) ln 2, clipped to
    (1, 1) ln 2: 2 / (sqrt 5 sqrt 2). Bigrams: (aa, ab) against (ab, b mass): 1 / (sqrt 2 sqrt 2).
    No trigram is shared and no text has four words; lengths are equal.
    """
    actual = cider_d(["a b mass", "c mass"], ["a a b", "c mass mass mass"])
    assert actual[0] == pytest.approx(10 / 4 * (2 / math.sqrt(10) + 1 / 2))
    # Second: "c" alone weighs, cosine 1; "c mass" is one of the bigrams c mass, mass mass (twice).
    # The latter isn't in any reference and weighs 2 ln 2: 1 / sqrt 5; two words too many.
    assert actual[1] == pytest.approx(10 / 4 * (1 + 1 / math.sqrt(5)) * math.exp(-4 / 72))


def test_a_copy_scores_ten_if_long_enough_for_all_orders() -> None:
    references = ["a cyst in the left kidney", "no lesion seen", "mr of the liver, T2-weighted"]
    assert cider_d(references, [r.upper() for r in references]) == pytest.approx([10, 7.5, 10])


def test_repeating_what_is_rare_does_not_pay() -> None:
    references = ["one small cyst there", "no lesion is seen", "a large mass here"]
    said = ["one small cyst there", "one cyst cyst cyst cyst cyst", "cyst"]
    scores = [cider_d(references, [text, "", ""])[0] for text in said]
    assert scores[0] > scores[2] > 0 and scores[0] > 2 * scores[1]


def test_what_every_reference_holds_weighs_nothing() -> None:
    assert cider_d(["a mass"], ["a mass"]) == 0
    np.testing.assert_array_equal(cider_d(["a mass"] * 3, ["a mass", "", "other"]), [0, 0, 0])


def test_an_empty_caption_scores_0() -> None:
    actual = cider_d(["a small cyst there", "no lesion is seen"], ["", "no lesion is seen"])
    assert actual == pytest.approx([0, 10])


def test_order_of_captions_does_not_matter() -> None:
    references = ["a cyst in the lung", "no lesion in the lung", "a mass in the liver"]
    texts = ["a cyst in the liver", "no lesion", "a mass"]
    assert all(a != b for a, b in pairwise(references))
    actual = cider_d(references, texts)
    np.testing.assert_allclose(cider_d(references[::-1], texts[::-1]), actual[::-1])

"""ROUGE-L against rouge-score, and by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from rouge_score.rouge_scorer import RougeScorer

from omnibench.tasks.captioning.rouge import UnicodeTokenizer, rouge_l
from tests.captioning.captioning_texts import pairs


@settings(max_examples=60)
@given(pairs())
def test_of_ascii_texts_rouge_l_is_rouge_scores(case: Any) -> None:
    case = [[text.replace("é", "e") for text in texts] for texts in case]
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    expected = [scorer.score(r, t)["rougeL"].fmeasure for r, t in zip(*case, strict=True)]
    np.testing.assert_array_equal(rouge_l(*case), expected)


def test_by_hand() -> None:
    """In order in both: "a mass the lung", 4 of 5 and 4 of 6 words; then nothing said; no stem."""
    references = ["A mass in the lung.", "a mass", "masses"]
    actual = rouge_l(references, ["a solid mass of the lung", "", "mass"])
    assert actual == pytest.approx([2 * 4 / 11, 0, 0])


@pytest.mark.parametrize(
    "text",
    [
        "Опухоль в правой почке.",
        "左肺上叶有一个肿块。",
        "ปอดซ้ายมีก้อน",
        "फेफड़े में गांठ",
        "كتلة في الرئة",
        "肺にがん",
    ],
)
def test_a_perfect_copy_of_any_script_has_1_and_another_text_0(text: str) -> None:
    assert rouge_l([text, text], [text, "a mass"]).tolist() == [1, 0]


def test_texts_of_other_scripts_by_hand() -> None:
    """Letters of Chinese count, 3 of 5 and 3 of 4; words of Russian, 2 of 3 and 2 of 2."""
    scores = rouge_l(["左肺有肿块", "опухоль в почке"], ["右肺肿块", "Опухоль, почке"])
    assert scores == pytest.approx([2 * 3 / 9, 2 * 2 / 5])


def test_letters_of_other_scripts_are_apart_from_what_follows_them() -> None:
    tokens = UnicodeTokenizer().tokenize("右肺CT影3mm が ก็ดี")
    assert tokens == ["右", "肺", "ct", "影", "3mm", "が", "ก็", "ดี"]


def test_composed_and_decomposed_letters_are_the_same_word() -> None:
    assert rouge_l(["lésion"], ["le\u0301sion"]).tolist() == [1]

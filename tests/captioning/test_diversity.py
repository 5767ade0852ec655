"""Diversity and length of captions, by hand."""

import numpy as np
import pytest

from omnibench.tasks.captioning.diversity import (
    distinct,
    distinct_captions,
    empty,
    length_ratio,
    lengths,
)


def test_by_hand() -> None:
    """Words: a mass . | A cyst ; 5 with 4 distinct, and 3 bigrams, none over two captions."""
    texts = ["a mass.", "A cyst", "", " "]
    assert distinct(texts, 1) == 4 / 5
    assert distinct(texts, 2) == 1
    assert distinct_captions(texts) == 3 / 4
    np.testing.assert_array_equal(lengths(texts), [3, 2, 0, 0])
    np.testing.assert_array_equal(empty(texts), [0, 0, 1, 1])
    assert length_ratio(["a large mass"] * 4, texts) == 5 / 12


def test_one_sentence_for_every_image_is_seen() -> None:
    texts = ["Axial CT of the chest."] * 50
    assert distinct_captions(texts) == 1 / 50
    assert distinct(texts, 1) == 1 / 50
    assert distinct(texts, 2) == 1 / 50


def test_nothing_said_has_no_diversity() -> None:
    assert distinct(["", ""], 1) is None
    assert distinct(["one", "two"], 2) is None
    assert distinct_captions(["", ""]) == 1 / 2
    assert length_ratio(["a mass"], [""]) == 0
    assert empty(["", ""]).mean() == pytest.approx(1)

"""ROUGE-L (Lin 2004), computed by rouge-score over the words of any script."""

import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Scripts written without spaces between words, by how Unicode's names of their letters begin.
UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


def rouge_l(references: Sequence[str], texts: Sequence[str]) -> NDArray[np.float64]:
    """Return each caption's F-measure of the longest common subsequence, [N]; 0 of an empty one.

    Of ASCII texts it is rouge-score's own, which keeps a-z and 0-9 alone; nothing is stemmed. The
    metric is their plain mean, where the study took the median of bootstrapped means.
    """
    return np.array([_score(*pair) for pair in zip(references, texts, strict=True)], np.float64)


class UnicodeTokenizer:
    """What rouge-score asks for the tokens of a text."""

    def tokenize(self, text: str) -> list[str]:
        """Return the lower-cased runs of letters, their marks and digits.

        Of a script that is written without spaces each letter is a token.
        """
        spaced = "".join(map(_spaced, unicodedata.normalize("NFC", text.lower())))
        return [token for word in spaced.split() for token in _split_off(word)]


def _split_off(word: str) -> list[str]:
    """Return a word, apart from a letter of a script without spaces that it begins with."""
    if not _is_word(word[0]):
        return [word]
    end = next((k for k, c in enumerate(word[1:], 1) if unicodedata.category(c)[0] != "M"), None)
    return [word] if end is None else [word[:end], word[end:]]


@cache
def _is_word(letter: str) -> bool:
    """Whether a character is a letter of a script that is written without spaces."""
    is_letter = unicodedata.category(letter)[0] == "L"
    return is_letter and unicodedata.name(letter, "").startswith(UNSPACED)


@cache
def _spaced(letter: str) -> str:
    """Return a character of a word as it is, one that is a word in spaces, any other as a space."""
    if letter.isascii():
        return letter if letter.isalnum() else " "
    kind = unicodedata.category(letter)
    if kind[0] not in "LM" and kind != "Nd":
        return " "
    return f" {letter}" if _is_word(letter) else letter


@lru_cache(maxsize=1 << 16)  # several definitions and comparisons score the same pairs
def _score(reference: str, text: str) -> float:
    return float(_scorer().score(reference, text)["rougeL"].fmeasure)


@cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer  # not at import: it loads nltk

    return RougeScorer(["rougeL"], tokenizer=UnicodeTokenizer())

"""METEOR (Lavie and Agarwal 2007), computed by nltk with WordNet's synonyms."""

import logging
from collections.abc import Sequence
from functools import cache, lru_cache
from threading import Lock
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from omnibench.context import default_data

log = logging.getLogger(__name__)

ALPHA, BETA, GAMMA = 0.9, 3.0, 0.5
_LOCK = Lock()  # nltk's reader seeks in files that all its users share, and so does its loading


def meteor(references: Sequence[str], texts: Sequence[str]) -> NDArray[np.float64] | None:
    """Each caption's METEOR, [N]; None where WordNet is absent, with one line of the log a process.

    Lower-cased words match exactly, by Porter stem, or where the stems are synonyms (as nltk has
    it, so "car" matches "auto" but not "automobile"). With precision P and recall R of m matches in
    c runs: P R / (.9 P + .1 R) x (1 - .5 (c / m)^3); 0 with no match, so of an empty caption. A
    copy of m words scores 1 - .5 / m^3. Tokens are nltk's of the whole text as one line, which
    needs no sentence model: a full stop inside a text stays with its word. (The study's METEOR,
    through the package evaluate, splits sentences first.)
    """
    with _LOCK:
        if not has_wordnet():
            _say_once()
            return None
        pairs = zip(references, texts, strict=True)
        return np.array([_score(*pair) for pair in pairs], np.float64)


@lru_cache(maxsize=1 << 16)  # several definitions and comparisons score the same pairs
def _score(reference: str, text: str) -> float:
    from nltk import word_tokenize
    from nltk.translate.meteor_score import single_meteor_score

    tokens = (word_tokenize(sentence, preserve_line=True) for sentence in (reference, text))
    return float(single_meteor_score(*tokens, alpha=ALPHA, beta=BETA, gamma=GAMMA))


def has_wordnet() -> bool:
    """Load WordNet from nltk's own folders or from `nltk_data/` in the data folder."""
    import nltk.data
    from nltk.corpus import wordnet

    # nltk reads from no folder that isn't on its path, and follows no link out of one.
    folder = str(default_data() / "nltk_data")
    if folder not in nltk.data.path:
        nltk.data.path.append(folder)
    try:
        wordnet.ensure_loaded()
    except (LookupError, OSError, BadZipFile):
        return False
    return True


@cache  # one sentence a process, whatever the reason
def _say_once() -> None:
    log.info("METEOR is left out, as nltk finds no readable WordNet (`bench.py doctor` helps)")

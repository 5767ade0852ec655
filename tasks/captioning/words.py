"""Words and n-grams of captions, as CIDEr-D and the measures of diversity count them."""

from collections.abc import Callable
from functools import cache

Words = list[str]


def words(text: str) -> Words:
    """The lower-cased tokens of a text under BLEU's 13a rules, punctuation marks included."""
    return _tokenizer()(text).lower().split()


def ngrams(tokens: Words, n: int) -> list[tuple[str, ...]]:
    """Every run of n tokens, in order; none of a text that is shorter."""
    return [tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1)]


@cache
def _tokenizer() -> Callable[[str], str]:
    from sacrebleu.metrics.bleu import BLEU  # not at import: `list` must start in a blink

    tokenizer: Callable[[str], str] = BLEU(tokenize="13a").tokenizer
    return tokenizer

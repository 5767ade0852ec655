"""The inverse of the caption grammar: which facts a text states."""

import re
from collections.abc import Iterable
from itertools import product

from omnibench.data.phantom import KINDS
from omnibench.data.phantom.captions import PLACES, SIZES
from omnibench.data.phantom.views import VIEWS

SLOTS = ("modality", "plane", "organ", "side", "lesion", "size", "place")
NONE = "none"


def slots_of(text: str) -> dict[str, str]:
    """Return what fills each slot, in the grammar's words in lower case; all of `caption`'s.

    Modality and plane are looked for before the first full stop, the others after it. A slot that
    the text leaves open, or fills with two different words, is absent. "none" stands for what a
    text states not to be: the lesion of a normal case with its side, size and place, and the side
    of a place that the grammar names without one (the poles of a kidney).
    """
    head, _, finding = text.lower().partition(". ")
    words_of = {
        slot: {word or NONE for word in PATTERNS[slot].findall(head if slot in HEAD else finding)}
        for slot in SLOTS
    }
    slots = {slot: min(words) for slot, words in words_of.items() if len(words) == 1}
    if slots.get("lesion") == NONE:
        without: tuple[str, ...] = ("side", "size", "place")
    else:
        without = ("side",) if "place" in slots else ()
    return slots | {slot: NONE for slot in without if not words_of[slot]}


def _any_of(words: Iterable[str], end: str = r"\b") -> re.Pattern[str]:
    longest_first = sorted({word.lower() for word in words}, key=len, reverse=True)
    return re.compile(rf"\b({'|'.join(map(re.escape, longest_first))}){end}")


_ALL_VIEWS = [view for views in VIEWS.values() for view in views]
HEAD = ("modality", "plane")
PATTERNS = {
    "modality": _any_of(VIEWS),
    "plane": _any_of(view.plane for view in _ALL_VIEWS),
    "organ": _any_of((view.organ for view in _ALL_VIEWS), end=r"s?\b"),
    "side": _any_of(("left", "right")),
    "lesion": _any_of(
        (kind.replace("-", " ") for kind in KINDS[1:]),
        end=r"\b|\b(?:no|without a)(?: focal)? lesion\b",
    ),
    "size": _any_of(SIZES),
    "place": _any_of(
        places.phrase.format(across=across, down=down)
        for places in PLACES.values()
        for across, down in product(places.across, places.down)
    ),
}

"""Whether captions of the phantom name the facts, slot by slot of its grammar."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from omnibench.task import Chance, Predictions


def slot_matches(references: Sequence[str], texts: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """1 where a caption's slot equals its reference's, else 0: slot -> [N].

    Nothing unless every reference follows the phantom's grammar. Every case counts in every
    slot: where a reference shows no lesion, or names no side, the right answer is to say so in the
    grammar (see `slots_of`), and a caption that leaves a slot open is wrong.
    """
    from omnibench.data.phantom.slots import SLOTS, slots_of  # only where texts are scored

    truths = _truths(references)
    if not truths:
        return {}
    answers = [slots_of(text) for text in texts]
    return {
        slot: np.array(
            [text.get(slot) == truth[slot] for truth, text in zip(truths, answers, strict=True)],
            np.float64,
        )
        for slot in SLOTS
    }


def most_frequent(predictions: Predictions) -> Mapping[str, Chance]:
    """Return what the best constant caption scores in each slot; {} as for `slot_matches`."""
    truths = _truths([str(text) for text in predictions["test_reference"]])
    guess = "the most frequent answer in every caption"
    return {
        slot: Chance(max(Counter(truth[slot] for truth in truths).values()) / len(truths), guess)
        for slot in (truths[0] if truths else ())
    }


def _truths(references: Sequence[str]) -> list[dict[str, str]]:
    """Return the slots of every reference; [] unless all follow the phantom's grammar."""
    from omnibench.data.phantom.slots import SLOTS, slots_of

    truths = [slots_of(reference) for reference in references]
    return truths if all(len(truth) == len(SLOTS) for truth in truths) else []

"""Whether captions of the phantom name the facts, slot by slot of its grammar."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def slot_matches(references: Sequence[str], texts: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """1 where a caption's slot equals its reference's, else 0: slot -> [N].

    Nothing unless every reference follows the phantom's grammar. Every case counts in every
    slot: where a reference shows no lesion, or names no side, the right answer is to say so in the
    grammar (see `slots_of`), and a caption that leaves a slot open is wrong.
    """
    from omnibench.data.phantom.slots import SLOTS, slots_of  # only where texts are scored

    truths = []
    for reference in references:
        truth = slots_of(reference)
        if len(truth) < len(SLOTS):
            return {}
        truths.append(truth)
    answers = [slots_of(text) for text in texts]
    return {
        slot: np.array(
            [text.get(slot) == truth[slot] for truth, text in zip(truths, answers, strict=True)],
            np.float64,
        )
        for slot in SLOTS
    }

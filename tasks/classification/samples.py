"""What a classifier answered for single test cases, in words."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from omnibench.samples import CaseAnswers
from omnibench.task import Predictions

MOST_LABELS = 4  # named of an answer with several


def case_answers(predictions: Predictions, classes: Sequence[str]) -> CaseAnswers:
    """Return the class of each case, or its labels, with the model's probabilities.

    Args:
        predictions: with test_logits [N, C] and test_labels [N], or [N, C] zeros and ones.
        classes: their names; numbers stand for those of another count.
    """
    logits, labels = predictions["test_logits"].astype(np.float64), predictions["test_labels"]
    count = logits.shape[1]
    names = tuple(classes) if len(classes) == count else tuple(map(str, range(count)))
    if labels.ndim == 1:
        shares = softmax(logits, axis=1)
        return CaseAnswers(
            "probability of the true class",
            [names[k] for k in labels.tolist()],
            [f"{names[row.argmax()]} ({100 * row.max():.0f} %)" for row in shares],
            shares[np.arange(len(labels)), labels],
        )
    shares = expit(logits)
    return CaseAnswers(
        "mean probability of each label's true value",
        [", ".join(name for name, there in zip(names, row, strict=True) if there) or "no label"
         for row in labels],
        [_labels(names, row) for row in shares],
        np.where(labels == 1, shares, 1 - shares).mean(axis=1),
    )  # fmt: skip


def _labels(names: Sequence[str], shares: NDArray[np.float64]) -> str:
    decided = [k for k in np.argsort(-shares).tolist() if shares[k] > 0.5]
    shown = [f"{names[k]} ({100 * shares[k]:.0f} %)" for k in decided[:MOST_LABELS]]
    more = len(decided) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "") if shown else "no label"

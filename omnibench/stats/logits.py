"""The stored logits of a unit, and what follows from them for each test case."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.rates import softmax, squared_errors
from omnibench.stats.result import RefusedError

Array = NDArray[Any]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Logits:
    """What the repetitions of one unit predicted for the test cases.

    Attributes:
        values: [R, N, C] of classes, or of labels in a multi-label task.
        labels: [N] classes, or [N, C] zeros and ones.
    """

    values: Array
    labels: Array

    @property
    def multi_label(self) -> bool:
        """Tell whether a case may show several labels, or none."""
        return self.labels.ndim == 2

    @property
    def truth(self) -> Bools:
        """Return the labels, one-hot: [N, C]."""
        if self.multi_label:
            return self.labels.astype(np.bool_)
        return _one_hot(self.labels, self.values.shape[2])

    @property
    def decisions(self) -> Bools:
        """Return what each repetition decides, one-hot: [R, N, C]; labels at probability 0.5."""
        if self.multi_label:
            return np.greater(self.values, 0)
        return _one_hot(self.values.argmax(axis=2), self.values.shape[2])

    @property
    def probabilities(self) -> Floats:
        """Return the softmax of the logits: [R, N, C]; single-label only."""
        return softmax(self.values)

    @property
    def squared_errors(self) -> Floats:
        """Return each case's squared error summed over classes: [R, N]; single-label only."""
        return squared_errors(self.truth, self.probabilities)


def _one_hot(classes: Array, count: int) -> Bools:
    hot: Bools = np.eye(count, dtype=np.bool_)[classes]
    return hot


def logits_in(stored: Mapping[str, Array], cases: int, where: str) -> Logits | None:
    """Return the logits among a record's arrays, as one repetition; None where it has none.

    Raises:
        RefusedError: logits and labels are not finite or do not belong together.
        KeyError: there are logits but no labels.
    """
    if "test_logits" not in stored:
        return None
    logits, labels = stored["test_logits"], stored["test_labels"]
    if logits.ndim != 2 or not len(logits) == len(labels) == cases:
        raise RefusedError(f"the test predictions {where} are not one row of logits a case")
    if not np.isfinite(logits).all():
        raise RefusedError(f"the test predictions {where} hold a logit that is not finite")
    if labels.ndim == 1 and (labels.min() < 0 or labels.max() >= logits.shape[1]):
        raise RefusedError(f"the test predictions {where} hold a label outside the classes")
    if labels.ndim == 2 and labels.shape != logits.shape:
        raise RefusedError(f"the test predictions {where} do not have one logit a label")
    return Logits(logits[None], labels)


def refuse_other_labels(a: Logits | None, b: Logits | None, who: str) -> None:
    """Raise RefusedError unless both have the same classes and labels, or neither has logits."""
    if a is None and b is None:
        return
    if a is None or b is None or a.values.shape[1:] != b.values.shape[1:]:
        raise RefusedError(f"{who} were not tested on the same classes")
    if not np.array_equal(a.labels, b.labels):
        raise RefusedError(f"{who} were tested against different labels of the same cases")

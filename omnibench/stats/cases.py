"""The stored test predictions of a unit, read once and checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.errors import OmnibenchError
from omnibench.stats.result import RefusedError

Array = NDArray[Any]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Predictions = Callable[[str], Mapping[str, Array]]


@dataclass(frozen=True, eq=False)
class Cases:
    """What the repetitions of one unit predicted for the test cases.

    Attributes:
        logits: [R, N, C] of classes, or of labels in a multi-label task.
        labels: [N] classes, or [N, C] zeros and ones.
        ids: [N] case ids.
        groups: [N] patient ids, or None where they are not known.
    """

    logits: Array
    labels: Array
    ids: Array
    groups: Array | None

    @property
    def multi_label(self) -> bool:
        """Whether a case may show several labels, or none."""
        return self.labels.ndim == 2

    @property
    def cluster(self) -> NDArray[np.intp]:
        """[N] index of each case's patient; every case is its own where patients are unknown."""
        ids = np.arange(len(self.ids)) if self.groups is None else self.groups
        return np.unique(ids, return_inverse=True)[1]

    @property
    def truth(self) -> Bools:
        """The labels, one-hot: [N, C]."""
        if self.multi_label:
            return self.labels.astype(np.bool_)
        return _one_hot(self.labels, self.logits.shape[2])

    @property
    def decisions(self) -> Bools:
        """What each repetition decides, one-hot: [R, N, C]; labels at probability 0.5."""
        if self.multi_label:
            return np.greater(self.logits, 0)
        return _one_hot(self.logits.argmax(axis=2), self.logits.shape[2])

    @property
    def probabilities(self) -> Floats:
        """Softmax of the logits: [R, N, C]; single-label only."""
        logits = self.logits.astype(np.float64)
        powers = np.exp(logits - logits.max(axis=2, keepdims=True))
        shares: Floats = powers / powers.sum(axis=2, keepdims=True)
        return shares


def _one_hot(classes: Array, count: int) -> Bools:
    hot: Bools = np.eye(count, dtype=np.bool_)[classes]
    return hot


def read_cases(digests: Mapping[int, str], predictions: Predictions) -> Cases:
    """Read the test predictions of every repetition of a unit.

    Args:
        digests: repetition -> digest of its record.
        predictions: digest -> the arrays test_logits, test_labels, test_case and, where patients
            are known, test_group.

    Raises:
        RefusedError: predictions are absent, not finite, or not of one set of cases.
    """
    parts = [_read(digests[k], predictions) for k in sorted(digests)]
    for part in parts[1:]:
        refuse_other_cases(parts[0], part, "the repetitions")
    return replace(parts[0], logits=np.concatenate([part.logits for part in parts]))


def _read(digest: str, predictions: Predictions) -> Cases:
    where = f"of record {digest[:8]}"
    try:
        stored = predictions(digest)
        logits, labels, ids = (stored[f"test_{key}"] for key in ("logits", "labels", "case"))
        groups = stored.get("test_group")
    except (OmnibenchError, OSError, KeyError) as error:
        raise RefusedError(f"no test predictions {where}: {error}") from error
    if logits.ndim != 2 or not len(logits) == len(labels) == len(ids) > 0:
        raise RefusedError(f"the test predictions {where} are not one row of logits a case")
    if not np.isfinite(logits).all():
        raise RefusedError(f"the test predictions {where} hold a logit that is not finite")
    if labels.ndim == 1 and (labels.min() < 0 or labels.max() >= logits.shape[1]):
        raise RefusedError(f"the test predictions {where} hold a label outside the classes")
    if labels.ndim == 2 and labels.shape != logits.shape:
        raise RefusedError(f"the test predictions {where} do not have one logit a label")
    return Cases(logits[None], labels, ids, groups)


def refuse_other_cases(a: Cases, b: Cases, who: str) -> None:
    """Raise RefusedError unless cases, labels and patients are identical, in order."""
    if a.logits.shape[1:] != b.logits.shape[1:] or not np.array_equal(a.ids, b.ids):
        raise RefusedError(f"{who} were not tested on the same cases")
    if not np.array_equal(a.labels, b.labels):
        raise RefusedError(f"{who} were tested against different labels of the same cases")
    if a.groups is None and b.groups is None:
        return
    if a.groups is None or b.groups is None or not np.array_equal(a.groups, b.groups):
        raise RefusedError(f"{who} were tested on cases of different patients")

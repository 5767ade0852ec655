"""The stored test predictions of a unit, read once and checked."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.errors import OmnibenchError
from omnibench.stats.logits import Logits, logits_in, refuse_other_labels
from omnibench.stats.result import RefusedError
from omnibench.stats.units import Score

Array = NDArray[Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Stored:
    """What one record left for its test cases.

    Attributes:
        arrays: test_case and, where the task has them, test_group (patients), test_logits,
            test_labels.
        per_case: definition -> metric -> [N] values whose mean is the metric; none of a
            definition that is no mean over cases. Nothing is computed before it is called.
    """

    arrays: Mapping[str, Array]
    per_case: Callable[[str], Mapping[str, Array]] = lambda definition: {}


Predictions = Callable[[str], Stored]  # of a record's digest


@dataclass(frozen=True, eq=False)
class Cases:
    """What the repetitions of one unit predicted for the test cases.

    Attributes:
        repetitions: how many there are.
        ids: [N] case ids.
        groups: [N] patient ids, or None where they are not known.
        values: of each metric that is a mean over cases, [R, N] of repetitions and cases.
        logits: None where the task stores none.
    """

    repetitions: int
    ids: Array
    groups: Array | None
    values: Mapping[Score, Floats]
    logits: Logits | None

    @property
    def cluster(self) -> NDArray[np.intp]:
        """[N] index of each case's patient; every case is its own where patients are unknown."""
        ids = np.arange(len(self.ids)) if self.groups is None else self.groups
        return np.unique(ids, return_inverse=True)[1]


def read_cases(
    digests: Mapping[int, str], predictions: Predictions, scores: Collection[Score] = ()
) -> Cases:
    """Read the test predictions of every repetition of a unit.

    Args:
        digests: repetition -> digest of its record.
        predictions: digest -> what that record left.
        scores: the metrics whose values of each case are wanted, where they have any.

    Raises:
        RefusedError: predictions are absent, not finite, or not of one set of cases.
    """
    parts = [_read(digests[k], predictions, scores) for k in sorted(digests)]
    first = parts[0]
    for part in parts[1:]:
        refuse_other_cases(first, part, "the repetitions")
    logits = [part.logits.values for part in parts if part.logits is not None]
    return replace(
        first,
        repetitions=len(parts),
        values={
            score: np.concatenate([part.values[score] for part in parts])
            for score in first.values
            if all(score in part.values for part in parts)
        },
        logits=first.logits and replace(first.logits, values=np.concatenate(logits)),
    )


def _read(digest: str, predictions: Predictions, scores: Collection[Score]) -> Cases:
    where = f"of record {digest[:8]}"
    try:
        stored = predictions(digest)
        ids = stored.arrays["test_case"]
        if not len(ids):
            raise RefusedError(f"the test predictions {where} hold no case")
        logits = logits_in(stored.arrays, len(ids), where)
        values = {
            (definition, metric): np.asarray(found, dtype=np.float64)[None]
            for definition in dict.fromkeys(definition for definition, _ in scores)
            for metric, found in stored.per_case(definition).items()
            if (definition, metric) in scores
        }
    except RefusedError:
        raise
    except (OmnibenchError, OSError, KeyError) as error:
        raise RefusedError(f"no test predictions {where}: {error}") from error
    for (_, metric), found in values.items():
        if found.shape[1:] != ids.shape:
            raise RefusedError(f"the test predictions {where} are not one {metric} a case")
    return Cases(1, ids, stored.arrays.get("test_group"), values, logits)


def refuse_other_cases(a: Cases, b: Cases, who: str) -> None:
    """Raise RefusedError unless cases, labels and patients are identical, in order."""
    if not np.array_equal(a.ids, b.ids):
        raise RefusedError(f"{who} were not tested on the same cases")
    refuse_other_labels(a.logits, b.logits, who)
    if a.groups is None and b.groups is None:
        return
    if a.groups is None or b.groups is None or not np.array_equal(a.groups, b.groups):
        raise RefusedError(f"{who} were tested on cases of different patients")

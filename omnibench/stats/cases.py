"""Read and check the stored test predictions of a unit, once."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.errors import OmnibenchError
from omnibench.stats.rates import Bools, softmax, squared_errors
from omnibench.stats.result import Floats, RefusedError
from omnibench.stats.units import Score

Array = NDArray[Any]


Recompute = Callable[[str, Bools], Mapping[str, float | None]]


@dataclass(frozen=True, eq=False)
class Stored:
    """What one record left for its test cases.

    Attributes:
        arrays: test_case and, where the task has them, test_group (patients), test_logits,
            test_labels.
        per_case: definition -> metric -> [N] values whose mean is the metric; none of a
            definition that is no mean over cases. Nothing is computed before it is called.
        recompute: (definition, chosen cases [N]) -> metric -> value on these alone.
        views: the name of a view of the predictions -> the same arrays of it; None where there is
            none but the test set itself.
    """

    arrays: Mapping[str, Array]
    per_case: Callable[[str], Mapping[str, Array]] = lambda definition: {}
    recompute: Recompute = lambda definition, chosen: {}
    views: Callable[[str], Mapping[str, Array]] | None = None

    def of_view(self, view: str) -> Mapping[str, Array]:
        """Return the arrays of a view; of "" those of the test set itself."""
        return self.arrays if self.views is None or not view else self.views(view)


Predictions = Callable[[str], Stored]  # of a record's digest


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


@dataclass(frozen=True, eq=False)
class Cases:
    """What the repetitions of one unit predicted for the test cases.

    Attributes:
        repetitions: how many there are.
        ids: [N] case ids.
        groups: [N] patient ids, or None where they are not known.
        values: of each metric that is a mean over cases, [R, N] of repetitions and cases.
        logits: None where the task stores none.
        recompute: of each repetition, as of Stored.
        weights: [N] by which cases count; None where all count alike.
    """

    repetitions: int
    ids: Array
    groups: Array | None
    values: Mapping[Score, Floats]
    logits: Logits | None
    recompute: Sequence[Recompute] = ()
    weights: Floats | None = None

    @property
    def cluster(self) -> NDArray[np.intp]:
        """Return the index of each case's patient, [N]; where unknown every case is its own."""
        ids = np.arange(len(self.ids)) if self.groups is None else self.groups
        return np.unique(ids, return_inverse=True)[1]


def read_cases(
    digests: Mapping[int, str],
    predictions: Predictions,
    scores: Collection[Score] = (),
    view: str = "",
) -> Cases:
    """Read the test predictions of every repetition of a unit.

    Args:
        digests: repetition -> digest of its record.
        predictions: digest -> what that record left.
        scores: the metrics of the view whose values of each case are wanted, if they have any.
        view: of the predictions; "" for those of the test set itself.

    Raises:
        RefusedError: predictions are absent, not finite, or not of one set of cases.
    """
    parts = [_read(digests[k], predictions, scores, view) for k in sorted(digests)]
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
        recompute=tuple(recompute for part in parts for recompute in part.recompute),
    )


def _read(digest: str, predictions: Predictions, scores: Collection[Score], view: str) -> Cases:
    where = f"of record {digest[:8]}" + (f" under '{view}'" if view else "")
    try:
        stored = predictions(digest)
        arrays = stored.of_view(view)
        ids = arrays["test_case"]
        if not len(ids):
            raise RefusedError(f"the test predictions {where} hold no case")
        logits = logits_in(arrays, len(ids), where)
        values = {
            (definition, metric): np.asarray(of_cases, dtype=np.float64)[None]
            for definition in dict.fromkeys(definition for definition, _ in scores)
            for metric, of_cases in stored.per_case(definition).items()
            if (definition, metric) in scores
        }
    except RefusedError:
        raise
    except (OmnibenchError, OSError, KeyError) as error:
        raise RefusedError(f"no test predictions {where}: {error}") from error
    for (_, metric), of_cases in values.items():
        if of_cases.shape[1:] != ids.shape:
            raise RefusedError(f"the test predictions {where} are not one {metric} a case")
    groups, weights = arrays.get("test_group"), arrays.get("test_weight")
    return Cases(1, ids, groups, values, logits, (stored.recompute,), weights)


def bare(cases: Cases) -> Cases:
    """Return what tells test cases apart, without what was predicted for them."""
    logits = cases.logits
    if logits is not None:
        logits = replace(logits, values=np.empty((0, *logits.values.shape[1:])))
    return replace(cases, values={}, logits=logits, recompute=())


def refuse_other_cases(a: Cases, b: Cases, who: str) -> None:
    """Raise RefusedError unless cases, labels and patients are identical, in order.

    Patients are, whatever they are called: records from elsewhere have numbers for their ids.
    """
    if not np.array_equal(a.ids, b.ids):
        raise RefusedError(f"{who} were not tested on the same cases")
    refuse_other_labels(a.logits, b.logits, who)
    if a.groups is None and b.groups is None:
        return
    if a.groups is None or b.groups is None or not np.array_equal(a.cluster, b.cluster):
        raise RefusedError(f"{who} were tested on cases of different patients")


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

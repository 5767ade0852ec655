"""What a task's metrics make of its predictions. No torch here."""

import numbers
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from omnibench.catalogue import metrics, tasks
from omnibench.contracts import file_of
from omnibench.errors import ExtensionError, OmnibenchError
from omnibench.mixing import SHARES, WEIGHT, mixed_views
from omnibench.task import Chance, Metric, Predictions

TEST, TEXTS, VALUES = "test_", "test_text", "values:"
CASE = "test_case"


def metrics_of(task: str) -> tuple[Metric, ...]:
    """Return a task's metrics, its own first, then those registered for it.

    Raises:
        RequestError: there is no such task.
    """
    own = tasks.get(task).metrics
    return (*own, *(metrics.get(key) for key in metrics if key.partition(":")[0] == task))


def reported_of(task: str) -> tuple[str, ...]:
    """Return the ids of a task's metrics that get a table, the primary first."""
    return tuple(metric.id for metric in metrics_of(task) if metric.reported)


def ranking_of(task: str) -> tuple[str, ...]:
    """Return the ids of those that have a direction, the primary first."""
    return tuple(m.id for m in metrics_of(task) if m.reported and m.direction is not None)


def score(task: str, predictions: Predictions) -> dict[str, float | None]:
    """Return {"definition/name": value} of every metric of a task; undefined ones are None.

    Every view of the predictions has its own: "definition@gaussian-noise-3/name". Where cases have
    weights, they are of the metrics that take them.

    Raises:
        ExtensionError: a metric raises, or gives no number; or one from outside no row of numbers.
    """
    known = metrics_of(task)
    registered = known[len(tasks.get(task).metrics) :]
    decodings = by_decoding(predictions)
    for decoded in decodings.values():
        # A task's own are looked at by its tests; these would fail in the report, too late.
        for metric, name, values in _computed(registered, "per_case", decoded):
            _row(metric, name, values)
    return {
        f"{metric.definition}{suffix}/{name}": _number(metric, name, value)
        for suffix, decoded in decodings.items()
        for metric, name, value in _computed(known, "compute", decoded)
    }


def case_values(task: str, predictions: Predictions) -> dict[str, NDArray[Any]]:
    """Return {"values:definition/name": [N]} of the metrics that are means over cases.

    Raises:
        ExtensionError: a metric raises, or gives no row of numbers.
    """
    return {
        f"{VALUES}{metric.definition}{suffix}/{name}": _row(metric, name, values)
        for suffix, decoded in by_decoding(predictions).items()
        for metric, name, values in _computed(metrics_of(task), "per_case", decoded)
    }


def chances(task: str, predictions: Predictions) -> dict[str, Chance]:
    """Return {"definition/name": what a guess scores} of the metrics that know it.

    Args:
        predictions: of any model: the truth alone is read.

    Raises:
        ExtensionError: a metric raises, or gives no `Chance`.
    """
    known: dict[str, Chance] = {}
    for metric, name, chance in _computed(metrics_of(task), "chance", predictions):
        if chance is None:
            continue
        if not isinstance(chance, Chance):
            raise ExtensionError(
                f"the metric {metric.definition}/{name}: its `chance` ({file_of(metric.chance)}) "
                f"gave a {type(chance).__name__}, where a Chance or None is due"
            )
        known[f"{metric.definition}/{name}"] = chance
    return known


def values_per_case(
    task: str, definition: str, predictions: Predictions
) -> dict[str, NDArray[Any]]:
    """Return name -> [N] of those metrics of a definition that are means over cases."""
    own = [metric for metric in metrics_of(task) if metric.definition == definition]
    return {
        name: _row(metric, name, values)
        for metric, name, values in _computed(own, "per_case", predictions)
    }


def computed_again(task: str, definition: str, predictions: Predictions) -> dict[str, float | None]:
    """Return name -> value of the metrics of a definition, as of a part of the test cases."""
    own = [metric for metric in metrics_of(task) if metric.definition == definition]
    return {
        name: _number(metric, name, value)
        for metric, name, value in _computed(own, "compute", predictions)
    }


def _computed(
    chosen: Sequence[Metric],
    function: Literal["compute", "per_case", "chance"],
    predictions: Predictions,
) -> Iterator[tuple[Metric, str, Any]]:
    """Yield (metric, name, what its function gives), each function called once."""
    passes: dict[Any, Any] = {}
    weighted = WEIGHT in predictions
    for metric in chosen:
        compute = getattr(metric, function)
        if compute is None or (weighted and not (metric.weighted and function == "compute")):
            continue
        if compute not in passes:
            try:
                passes[compute] = compute(predictions)
            except (OmnibenchError, MemoryError):
                raise
            except Exception as error:
                raise ExtensionError(
                    f"the metric {metric.id}: its `{function}` ({file_of(compute)}) raised "
                    f"{type(error).__name__}: {error}"
                ) from error
            if isinstance(passes[compute], Mapping):
                sharing = [other for other in chosen if getattr(other, function) is compute]
                _refuse_unknown(metric, function, passes[compute], sharing)
        values = passes[compute]
        if not isinstance(values, Mapping):
            yield metric, metric.name, values
            continue
        names = filter(metric.covers, values) if metric.name.endswith("*") else (metric.name,)
        yield from ((metric, name, values[name]) for name in names if name in values)


def _refuse_unknown(
    metric: Metric, function: str, values: Mapping[str, Any], sharing: Sequence[Metric]
) -> None:
    """Raise ExtensionError where a pass gives a name that none of its metrics has."""
    for name in values.keys() - {other.name for other in sharing}:
        if not any(other.covers(name) for other in sharing):
            raise ExtensionError(
                f"the metric {metric.id}: its `{function}` ({file_of(getattr(metric, function))}) "
                f"gave '{name}', which no metric of its pass is called; register one of that name"
            )


def _number(metric: Metric, name: str, value: Any) -> float | None:
    if value is None or (isinstance(value, numbers.Real) and not isinstance(value, bool)):
        return None if value is None else float(value)
    raise ExtensionError(
        f"the metric {metric.definition}/{name}: its `compute` ({file_of(metric.compute)}) gave a "
        f"{type(value).__name__}, where a number or None is due"
    )


def _row(metric: Metric, name: str, values: Any) -> NDArray[Any]:
    if isinstance(values, np.ndarray) and values.ndim == 1:
        return values
    form = (
        f"shape {list(values.shape)}" if isinstance(values, np.ndarray) else type(values).__name__
    )
    raise ExtensionError(
        f"the metric {metric.definition}/{name}: its `per_case` ({file_of(metric.per_case)}) gave "
        f"{form}, where an array [N] of one number a case is due"
    )


def by_decoding(predictions: Predictions) -> dict[str, Predictions]:
    """Return what each view predicted by its suffix: "" of the test set itself, "@b5-t64", "@VIEW".

    What a view has of its own is called `test_logits@VIEW` and takes the place of `test_logits` in
    it. A view with a `test_case` of its own is of other cases, and has nothing of the test set's.
    Where each decoding of texts is a view, there is no "". A share of low quality among the test
    images is a view "@low-q25" (see `omnibench.mixing`).
    """
    suffixes = dict.fromkeys(
        f"@{view}" for name in predictions if name.startswith(TEST) for view in name.split("@")[1:]
    )
    if not suffixes:
        return {"": predictions}
    plain = {name: array for name, array in predictions.items() if "@" not in name}
    views: dict[str, Predictions] = (
        {} if f"{TEXTS}{next(iter(suffixes))}" in predictions else {"": plain}
    )
    for suffix in suffixes:
        own = {
            name.removesuffix(suffix): array
            for name, array in predictions.items()
            if name.endswith(suffix) and name.startswith(TEST)
        }
        shared = without_cases(plain) if CASE in own else plain
        if (shares := predictions.get(f"{SHARES}{suffix}")) is None:
            views[suffix] = {**shared, **own}
        else:
            views |= mixed_views(plain, own, shares, suffix)
    return views


def without_cases(predictions: Predictions) -> Predictions:
    """Return the arrays that are not of test cases."""
    return {name: array for name, array in predictions.items() if not name.startswith(TEST)}

"""Metrics of click sequences from stored predictions, in numpy.

Predictions hold `test_iou` and `test_dice` [N, K] of each object after 1 to K clicks, with no early
stop at a threshold (a sequence without an error left keeps its score), `test_nsd` [N, A] after the
numbers of AFTER up to K, and `test_start` [N, 2], IoU and Dice before the first click: 0 where a
sequence starts with nothing.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from omnibench.task import Metric, Predictions, metrics_of_pass

Floats = NDArray[np.float64]
THRESHOLDS = (80, 85, 90)  # per cent of IoU
FAILED_BELOW = (85, 90)
AFTER = (1, 3, 5, 10, 20)  # clicks
SCORES = ("iou", "dice")


def clicks_needed(predictions: Predictions) -> dict[str, Floats]:
    """Return per object [N] the first k with an IoU of at least t after k clicks, else K (NoC@t).

    A failure counts K clicks, as a success at the last click does: NoF tells the two apart.
    """
    iou = predictions["test_iou"]
    return {
        f"noc-{t}": np.where(
            (reached := iou >= t / 100).any(axis=1), reached.argmax(axis=1) + 1.0, iou.shape[1]
        )
        for t in THRESHOLDS
    }


def failures(predictions: Predictions) -> dict[str, Floats]:
    """Return per object [N] 1 where no click up to K brought an IoU of at least t (NoF@t)."""
    best = predictions["test_iou"].max(axis=1)
    return {f"nof-{t}": (best < t / 100).astype(np.float64) for t in FAILED_BELOW}


def scores(predictions: Predictions) -> dict[str, Floats]:
    """Return per object [N] IoU and Dice after k clicks, of those k that were made."""
    return {
        f"{name}-{k}": predictions[f"test_{name}"][:, k - 1].astype(np.float64)
        for name in SCORES
        for k in AFTER
        if k <= predictions[f"test_{name}"].shape[1]
    }


def boundary_scores(predictions: Predictions) -> dict[str, Floats]:
    """Return per object [N] the NSD after k clicks; nothing of records that hold none."""
    if "test_nsd" not in predictions:
        return {}
    columns = zip(AFTER, predictions["test_nsd"].T, strict=False)
    return {f"nsd-{k}": values.astype(np.float64) for k, values in columns}


def areas(predictions: Predictions) -> dict[str, Floats]:
    """Return per object [N] the normalised area under its scores: trapezoid(s_0 .. s_K) / K."""
    start = predictions["test_start"]
    curves = {
        name: np.column_stack([start[:, place], predictions[f"test_{name}"]])
        for place, name in enumerate(SCORES)
    }
    return {
        f"nauc-{name}": np.trapezoid(curve, axis=1) / (curve.shape[1] - 1)
        for name, curve in curves.items()
    }


def _of(
    per_case: Callable[[Predictions], Mapping[str, Floats]],
    names: tuple[str, ...],
    reported: tuple[str, ...],
    unit: str = "points",
    down: bool = False,
) -> tuple[Metric, ...]:
    def means(predictions: Predictions) -> dict[str, float | None]:
        return {name: float(values.mean()) for name, values in per_case(predictions).items()}

    return metrics_of_pass(
        "interactive",
        names,
        means,
        per_case=per_case,
        reported=reported,
        unit=unit,
        down=names if down else (),
    )


METRICS = (
    *_of(
        clicks_needed, tuple(f"noc-{t}" for t in (85, 80, 90)), ("noc-85", "noc-90"), "clicks", True
    ),
    *_of(failures, tuple(f"nof-{t}" for t in FAILED_BELOW), ("nof-85",), down=True),
    *_of(areas, tuple(f"nauc-{name}" for name in SCORES), ("nauc-iou", "nauc-dice")),
    *_of(scores, tuple(f"{name}-{k}" for name in SCORES for k in AFTER), ("iou-1", "iou-5")),
    *_of(boundary_scores, tuple(f"nsd-{k}" for k in AFTER), ("nsd-5",)),
)

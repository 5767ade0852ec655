"""Metrics of studies: those of classification, of slices, and by the views that a study has.

Predictions hold what classification's do, a case being a study; `test_view:NAME` [S], whether it
has a view, where a dataset has several; and where slices have weights `test_slice_weight` [S, M],
NaN where there is no slice, with `test_slice_shown` [S, M], 1 of slices that show what the label
names, -1 where there is none; and where experts share the slices `test_routing` [S, K], the mean
over each study's.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.rates import binary_auc
from omnibench.task import Chance, Metric, Predictions, metrics_of_pass
from omnibench.tasks.classification.chance import EQUAL_SCORES
from omnibench.tasks.classification.metrics import METRICS as CLASSIFICATION
from omnibench.tasks.classification.metrics import omnirad_classification

from .studies import PRESENT, SHOWN, WEIGHT


def slices(predictions: Predictions) -> Mapping[str, float | None]:
    """Return the mean over studies of the AUC by which weights tell slices that show it.

    Over the studies with slices of both kinds; None where there are none.
    """
    if WEIGHT not in predictions or SHOWN not in predictions:
        return {}
    areas = _slice_areas(predictions)
    return {"weight-auc": float(np.nanmean(areas)) if np.isfinite(areas).any() else None}


def _slice_areas(predictions: Predictions) -> NDArray[np.float64]:
    """Return the AUC of each study's slices [S]; NaN where all are of one kind."""
    shown, weights = predictions[SHOWN], predictions[WEIGHT].astype(np.float64)
    areas = np.full(len(shown), np.nan)
    for study, (kinds, own) in enumerate(zip(shown, weights, strict=True)):
        there = kinds >= 0
        if (area := binary_auc(kinds[there] == 1, own[there])) is not None:
            areas[study] = area
    return areas


def missing(predictions: Predictions) -> Mapping[str, float | None]:
    """Return the AUC of the studies with each pattern of views, the worst, and what is lost.

    `auc-A+B` is of the studies that have the views A and B and no others; `drop` is the AUC of
    those with all views less the worst. Undefined ones are None and take no part. {} where all
    studies have the same views.
    """
    names = sorted(name for name in predictions if name.startswith(PRESENT))
    if not names:
        return {}
    present = np.stack([predictions[name] == 1 for name in names], axis=1)
    patterns = np.unique(present, axis=0)[::-1]
    if len(patterns) == 1:
        return {}
    areas: dict[str, float | None] = {}
    for pattern in patterns:
        views = [
            name.removeprefix(PRESENT) for name, there in zip(names, pattern, strict=True) if there
        ]
        own = (present == pattern).all(axis=1)
        part = {name: predictions[name][own] for name in ("test_logits", "test_labels")}
        areas[f"auc-{'+'.join(views)}"] = omnirad_classification(part)["auc"]
    known = [area for area in areas.values() if area is not None]
    whole = areas.get(f"auc-{'+'.join(name.removeprefix(PRESENT) for name in names)}")
    worst = min(known) if known else None
    drop = None if whole is None or worst is None else whole - worst
    return {**areas, "worst": worst, "drop": drop}


def chance_of_slices(predictions: Predictions) -> Mapping[str, Chance]:
    """Return what the same weight for every slice scores."""
    if WEIGHT not in predictions:
        return {}
    same = np.zeros_like(predictions[WEIGHT])
    areas = slices({**predictions, WEIGHT: same})
    return _chances(areas, "the same weight for every slice")


def chance_of_missing(predictions: Predictions) -> Mapping[str, Chance]:
    """Return what the same score for every study scores."""
    same = np.zeros_like(predictions["test_logits"])
    return _chances(missing({**predictions, "test_logits": same}), EQUAL_SCORES)


def _chances(areas: Mapping[str, float | None], guess: str) -> Mapping[str, Chance]:
    return {name: Chance(area, guess) for name, area in areas.items() if area is not None}


METRICS: tuple[Metric, ...] = (
    *(metric for metric in CLASSIFICATION if metric.definition != "omnirad-classification-4dp"),
    *metrics_of_pass(
        "slices",
        ("weight-auc",),
        slices,
        reported=("weight-auc",),
        chance=chance_of_slices,
    ),
    *metrics_of_pass(
        "missing",
        ("auc-*", "worst", "drop"),
        missing,
        reported=("worst", "drop"),
        down=("drop",),
        chance=chance_of_missing,
    ),
)

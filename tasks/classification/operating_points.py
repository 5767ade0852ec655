"""Operating points of two classes, or of each label: thresholds are chosen on validation.

`at-val-specificity-90` is the smallest threshold whose specificity on the validation split is at
least 90 %, `at-val-sensitivity-90` the largest whose sensitivity there is, `at-val-youden` the one
with the largest sum of both; each is then applied to the test split, where its rates may be others.
Predictive values are at the test split's own prevalence. Of several labels each has its own
threshold, and numbers are means over labels. There are none of more than two classes.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from omnibench.stats.operating import (
    Counts,
    Rates,
    threshold_at_sensitivity,
    threshold_at_specificity,
    threshold_at_youden,
)
from omnibench.stats.rates import Bools
from omnibench.stats.result import Floats
from omnibench.task import Predictions, metrics_of_pass

TARGETS: dict[str, Callable[[Floats, Bools], float | None]] = {
    **{
        f"at-val-{name}-{percent}": partial(choose, percent=percent)
        for name, choose in (
            ("specificity", threshold_at_specificity),
            ("sensitivity", threshold_at_sensitivity),
        )
        for percent in (90, 95)
    },
    "at-val-youden": threshold_at_youden,
}
UNDEFINED = Rates(None, None, None, None)


def rates(definition: str, predictions: Predictions) -> Mapping[str, float | None]:
    """Return sensitivity, specificity, PPV and NPV of a definition, None where one is undefined."""
    choose, each = TARGETS[definition], []
    for val, test in zip(_scored(predictions, "val"), _scored(predictions, "test"), strict=False):
        threshold = choose(*val)
        each.append(UNDEFINED if threshold is None else Counts.from_scores(*test, threshold).rates)
    return {name: _mean([getattr(r, name) for r in each]) for name in Rates._fields if each}


def _scored(predictions: Predictions, split: str) -> list[tuple[Floats, Bools]]:
    """Return scores and positives of two classes, or of each label; [] of more, or unstored."""
    logits, labels = predictions.get(f"{split}_logits"), predictions.get(f"{split}_labels")
    if logits is None or labels is None:
        return []
    wide = logits.astype(np.float64)
    if labels.ndim == 2:
        return [(wide[:, k], labels[:, k] == 1) for k in range(labels.shape[1])]
    # The difference of the logits ranks as the probability does, and does not saturate.
    return [(wide[:, 1] - wide[:, 0], labels == 1)] if wide.shape[1] == 2 else []


def _mean(values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if len(defined) == len(values) else None


METRICS = tuple(
    metric
    for definition in TARGETS
    for metric in metrics_of_pass(definition, Rates._fields, partial(rates, definition))
)

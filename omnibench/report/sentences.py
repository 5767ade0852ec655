"""Comparisons in plain sentences."""

import math
from collections.abc import Iterable

from omnibench.report.numbers import POINTS, number, probability
from omnibench.stats.pair import Comparison
from omnibench.stats.units import Score, split_decoding


def metric_names(scores: Iterable[Score]) -> dict[Score, str]:
    """Return what to call each: the metric, or "definition/metric" where that is not enough.

    It is not where a metric has several definitions, nor of generated texts: "id@b5-t64/meteor".
    """
    distinct = dict.fromkeys(scores)
    metrics = [metric for _, metric in distinct]
    return {
        (definition, metric): f"{definition}/{metric}"
        if metrics.count(metric) > 1 or split_decoding(definition)[1]
        else metric
        for definition, metric in distinct
    }


# What a suite calls a correction -> what a sentence calls it.
EQUIVALENCE = {True: "shown", False: "not shown"}
CORRECTED = {"holm": "Holm", "benjamini-hochberg": "Benjamini-Hochberg"}


def sentence(
    comparison: Comparison,
    metric: str | None = None,
    unit: str = POINTS,
    correction: str = "holm",
    equivalent: bool | None = None,
) -> str:
    """Return one sentence: where, what, the difference with its interval, the test and its p.

    Args:
        metric: what to call the metric, if not by its name alone.
        unit: what its values are in.
        correction: of its p, as a suite names it.
        equivalent: whether equivalence is shown within the suite's margin; None where not asked.
    """
    c = comparison
    text = f"{c.dataset}, {metric or c.metric}, {c.adaptation}: {c.backbone_a} - {c.backbone_b} = "
    text += number(c.difference, unit, signed=True)
    text += f" {unit}" if math.isfinite(c.difference) else ""
    if c.test == "none":
        return f"{text}, not tested: {c.note}."
    text += f" [{number(c.low, unit)}, {number(c.high, unit)}], {c.test} p {probability(c.p)}"
    text += f", {CORRECTED[correction]}-corrected p {probability(c.p_corrected)}"
    if not math.isnan(c.effect):
        text += f", Hedges g {c.effect:.2f}"
    if equivalent is not None:
        text += f", equivalence {EQUIVALENCE[equivalent]} within the margin"
    return f"{text} ({c.note})." if c.note else f"{text}."

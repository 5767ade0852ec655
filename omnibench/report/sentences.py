"""Comparisons in plain sentences."""

import math

from omnibench.report.numbers import UNDEFINED, points, probability
from omnibench.stats.pair import Comparison


def sentence(comparison: Comparison) -> str:
    """Return one sentence: where, what, the difference with its interval, the test and its p."""
    c = comparison
    text = f"{c.dataset}, {c.metric}, {c.adaptation}: {c.backbone_a} - {c.backbone_b} = "
    text += _points(c.difference)
    if c.test == "none":
        return f"{text}, not tested: {c.note}."
    text += f" [{points(c.low)}, {points(c.high)}], {c.test} p {probability(c.p)}"
    text += f", Holm-corrected p {probability(c.p_corrected)}"
    if not math.isnan(c.effect):
        text += f", Hedges g {c.effect:.2f}"
    return f"{text} ({c.note})." if c.note else f"{text}."


def _points(difference: float) -> str:
    return f"{points(difference, signed=True)} points" if math.isfinite(difference) else UNDEFINED

"""What a published comparison could have shown: interval, detectable difference, equivalence."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from omnibench.stats.power import minimum_detectable_effect
from omnibench.stats.result import RefusedError
from omnibench.stats.retest import Retest
from omnibench.stats.summaries import pooled_std, tost

# Points (per cent) to a metric's own unit; an equivalence margin in points means nothing in others.
_POINTS = {"percent": 1.0, "fraction": 0.01}


@dataclass(frozen=True)
class Effect:
    """The size behind one Welch test, in the metric's own unit.

    Attributes:
        test: the Welch test it belongs to, with difference, interval and Hedges g.
        detectable: smallest true difference found with 80 % power; NaN for unequal n.
        p_equivalent: TOST within the margin; NaN where the unit is not points.
    """

    test: Retest
    detectable: float
    p_equivalent: float


def effects(tests: Iterable[Retest], margin: float) -> list[Effect]:
    """Return an effect for each Welch test that was answered.

    Args:
        margin: of equivalence, in points.

    Raises:
        RefusedError: the margin is not above 0.
    """
    if not margin > 0 or not math.isfinite(margin):
        raise RefusedError(f"an equivalence margin is above 0, not {margin:g}")
    return [_effect(test, margin) for test in tests if test.test == "welch" and test.answer]


def _effect(test: Retest, margin: float) -> Effect:
    n_a, n_b = test.n
    a, b = test.a.summary(n_a), test.b.summary(n_b)
    detectable = minimum_detectable_effect(n_a) * pooled_std(a, b) if n_a == n_b else math.nan
    points = _POINTS.get(test.a.unit)
    equivalent = tost(a, b, margin * points).p if points else math.nan
    return Effect(test, detectable, equivalent)

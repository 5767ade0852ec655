"""What a test says: a difference with its interval and p, or the reason why there is none."""

import math
from dataclasses import dataclass

from omnibench.errors import OmnibenchError

CONFIDENCE = 0.95

# A spread below this is rounding noise of float64 fractions, not variation.
NO_SPREAD = 1e-12

# What a p-value underflows to: p = 0 is never true.
SMALLEST_P = 2.2250738585072014e-308


class RefusedError(OmnibenchError):
    """A test cannot answer; the message is the reason, ready for a table's note."""

    kind = "refused"


@dataclass(frozen=True)
class Answer:
    """The outcome of one two-sided test of a against b.

    Attributes:
        test: the test's name, with what it is paired by and how many repetitions it averages.
        difference: a - b in the metric's own unit.
        low, high: 95 % interval of the difference.
        p: two-sided, in (0, 1].
        effect: Hedges g where the test is over repetitions; NaN for case-level tests.
    """

    test: str
    difference: float
    low: float
    high: float
    p: float
    effect: float = math.nan

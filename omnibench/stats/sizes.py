"""Find the smallest study that answers with 80 % power: its repetitions, or its patients."""

import math
from collections.abc import Callable
from typing import NamedTuple

from omnibench.stats.pilot import Pilot, Study
from omnibench.stats.power import POWER

MOST = 1000  # repetitions; more is no plan
MOST_PATIENTS = 10_000_000
_SAFE = 0.9  # power at which the number of patients is not at the edge of what repetitions allow
_STEP = 1.3

PowerOf = Callable[[Study], float]


class Size(NamedTuple):
    """How large a study is; None where no study up to `MOST` answers.

    Attributes:
        repetitions: of each model.
        patients: those at hand where repetitions suffice, else as many as are needed, to three
            digits.
    """

    repetitions: int | None = None
    patients: int | None = None


NONE = Size()


def smallest(pilot: Pilot, power: PowerOf, frozen: bool) -> Size:
    """Return the smallest study with 80 % power.

    It has the patients at hand and other repetitions; where the patients' part alone is too large,
    other patients and the repetitions at hand. Of frozen probes patients come first, and then
    repetitions. Where neither does alone: twice the repetitions that would do with endless
    patients, and other patients.

    Args:
        power: the power of a study.
        frozen: whether repetitions are of a frozen probe, and so tell next to nothing.
    """
    n = min(pilot.repetitions)
    beyond_n = power(pilot.study(n, math.inf)) < _SAFE  # however many the patients
    if frozen and not beyond_n:
        return _of_patients(pilot, power, n)
    repetitions = _fewest(lambda n: power(pilot.study(n, pilot.patients)))
    if repetitions is not None:
        return Size(repetitions, pilot.patients)
    if not beyond_n:
        return _of_patients(pilot, power, n)
    endless = _fewest(lambda n: power(pilot.study(n, math.inf)))
    return NONE if endless is None else _of_patients(pilot, power, max(n, 2 * endless))


def detectable(pilot: Pilot, level: float) -> float:
    """Return the difference that the study at hand finds with 80 % power; NaN for none."""
    from scipy.optimize import brentq

    study = pilot.study(min(pilot.repetitions), pilot.patients)
    low = high = float(study.spread.min())
    while study.power_to_detect(high, level) < POWER:
        low, high = high, 2 * high
        if not math.isfinite(high):
            return math.nan
    return float(brentq(lambda d: study.power_to_detect(d, level) - POWER, low / 2, high))


def _fewest(power_at: Callable[[int], float]) -> int | None:
    """Return the smallest of 2 .. MOST whose power suffices; None where none does.

    It is looked for upwards in growing steps, and then between the last two: with very few patients
    power falls again where they come to be all of the variance.
    """
    low, high = 1, 2
    while power_at(high) < POWER:
        if high >= MOST:
            return None
        low, high = high, min(MOST, math.ceil(_STEP * high))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_at(middle) >= POWER else (middle, high)
    return high


def _of_patients(pilot: Pilot, power: PowerOf, n: int) -> Size:
    """Return the study of n repetitions with the fewest patients that suffice, rounded up."""
    from scipy.optimize import brentq

    def excess(log: float) -> float:
        return power(pilot.study(n, math.exp(log))) - POWER

    low, high = math.log(2), math.log(MOST_PATIENTS)
    if excess(high) < 0:
        return NONE
    root = low if excess(low) >= 0 else float(brentq(excess, low, high, xtol=1e-3))
    exact = math.ceil(math.exp(root) - 1e-9)
    unit = int(10 ** max(0, len(str(exact)) - 3))
    return Size(n, math.ceil(exact / unit) * unit)

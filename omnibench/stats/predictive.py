"""Rates of an operating point with their intervals, and predictive values at a prevalence."""

import numpy as np

from omnibench.stats.influence import Bools, Influence, Patients
from omnibench.stats.operating import predictive_values
from omnibench.stats.over_patients import Measure, over_patients
from omnibench.stats.result import Floats, RefusedError

RATES = ("sensitivity", "specificity", "PPV", "NPV")


def rates_at(
    thresholds: Floats, scores: Floats, positive: Bools, patients: Patients, prevalence: float
) -> dict[str, Measure]:
    """Return `RATES` as means over repetitions, with intervals for other patients.

    Thresholds stay as they are. PPV and NPV are those of a population of this prevalence; their
    intervals follow from those of sensitivity and specificity to first order.

    Args:
        thresholds: [R], one a repetition; scores: [R, N]; positive: [N].
    """
    called = scores >= thresholds[:, None]
    parts: dict[str, Influence | RefusedError] = {}
    for name, right, whole in (
        (RATES[0], called & positive, positive),
        (RATES[1], ~called & ~positive, ~positive),
    ):
        wholes = np.broadcast_to(whole[:, None], (*scores.shape, 1))
        try:
            parts[name] = patients.ratios(right[:, :, None], wholes, lambda sums: sums > 0)
        except RefusedError:
            kind = "positive" if name == RATES[0] else "negative"
            parts[name] = RefusedError(f"there is no {kind} test case")
    parts |= _predictive(parts[RATES[0]], parts[RATES[1]], prevalence)
    return {
        name: part if isinstance(part, RefusedError) else over_patients(part)
        for name, part in parts.items()
    }


def _predictive(
    sensitivity: Influence | RefusedError, specificity: Influence | RefusedError, share: float
) -> dict[str, Influence | RefusedError]:
    """Return the influences of PPV = a / (a + b) and NPV = c / (c + d) by their derivatives."""
    if isinstance(sensitivity, RefusedError):
        return dict.fromkeys(RATES[2:], sensitivity)
    if isinstance(specificity, RefusedError):
        return dict.fromkeys(RATES[2:], specificity)
    hit, right = share * sensitivity.values, (1 - share) * specificity.values
    missed, false = share - hit, 1 - share - right
    moved_hit, moved_right = share * sensitivity.rows, (1 - share) * specificity.rows
    values = [
        predictive_values(*rates, share)
        for rates in zip(sensitivity.values.tolist(), specificity.values.tolist(), strict=True)
    ]
    every: dict[str, Influence | RefusedError] = {}
    for k, (name, called, part, rest, moved_part, moved_rest) in enumerate(
        (
            (RATES[2], "positive", hit, false, moved_hit, -moved_right),
            (RATES[3], "negative", right, missed, moved_right, -moved_hit),
        )
    ):
        numbers = [pair[k] for pair in values]
        if None in numbers:
            every[name] = RefusedError(f"in some repetition no test case is called {called}")
            continue
        rows = rest[:, None] * moved_part - part[:, None] * moved_rest
        rows /= (part + rest)[:, None] ** 2
        every[name] = Influence(np.array(numbers, np.float64), rows, sensitivity.patients)
    return every

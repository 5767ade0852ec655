"""Tests from a mean, a standard deviation and n, as published tables give them."""

import math
from dataclasses import dataclass

from omnibench.stats.result import ALPHA, NO_SPREAD, SMALLEST_P, Answer, RefusedError
from omnibench.stats.seeds import hedges_j, t_tails


@dataclass(frozen=True)
class Summary:
    """What a table prints of one model.

    Attributes:
        mean, std: in the metric's own unit; std with ddof = 1, None where none is printed.
        n: repetitions behind them; None where it is not said.
        definition: id of the metric's formula; different ones are never compared.
    """

    mean: float
    std: float | None
    n: int | None
    definition: str = ""


def welch(a: Summary, b: Summary) -> Answer:
    """Test a difference of means, variances unequal (Welch 1947).

    Assumes independent repetitions, about normal.

    Returns:
        Interval t with Welch-Satterthwaite's degrees of freedom; effect is Hedges g.

    Raises:
        RefusedError: definitions differ, n is below 2 or not said, or neither varies.
    """
    difference, error, df = _welch_parts(a, b)
    return _answer("welch", difference, error, df, _hedges_g(a, b))


def student(a: Summary, b: Summary) -> Answer:
    """Test a difference of means, variances taken as equal (Student 1908).

    Assumes independent repetitions, about normal, of one variance.

    Raises:
        RefusedError: as `welch`.
    """
    (s_a, n_a), (s_b, n_b) = _repeated(a, b)
    df = n_a + n_b - 2
    error = _pooled(s_a, n_a, s_b, n_b) * math.sqrt(1 / n_a + 1 / n_b)
    return _answer("student", a.mean - b.mean, error, df, _hedges_g(a, b))


def one_sample(a: Summary, single: Summary) -> Answer:
    """Test a mean against one number as if that number were known exactly.

    It is not: a single run of b varies as the runs of a do, so the true error is 16 % (n = 3) to
    51 % (n = 10) at a nominal 5 %. `prediction` is the test to report.

    Raises:
        RefusedError: definitions differ, n of a is below 2 or not said, or a does not vary.
    """
    return _against_single("one-sample", a, single, extra=0.0)


def prediction(a: Summary, single: Summary) -> Answer:
    """Test whether one number could be one more run of a: t = diff / (s sqrt(1 + 1/n)).

    Assumes that the single run varies as much as those of a. Source: the prediction interval of
    one further normal observation (Hahn & Meeker 1991, section 4.7).

    Raises:
        RefusedError: as `one_sample`.
    """
    return _against_single("prediction", a, single, extra=1.0)


def tost(a: Summary, b: Summary, margin: float) -> Answer:
    """Test equivalence within +-margin by two one-sided Welch tests (Schuirmann 1987).

    Assumes as `welch`.

    Returns:
        p is the larger of the two; a small one shows equivalence. The interval is the 90 % one
        that lies within the margin exactly when p < .05.

    Raises:
        RefusedError: as `welch`, or the margin is not above 0.
    """
    from scipy.special import stdtr, stdtrit  # a whole scipy.stats costs seconds to import

    if not margin > 0:
        raise RefusedError(f"an equivalence margin is above 0, not {margin}")
    difference, error, df = _welch_parts(a, b)
    p = float(stdtr(df, (abs(difference) - margin) / error))
    reach = float(stdtrit(df, 1 - ALPHA)) * error
    low, high = difference - reach, difference + reach
    return Answer("TOST (Welch)", difference, low, high, max(p, SMALLEST_P), _hedges_g(a, b))


def pooled_std(a: Summary, b: Summary) -> float:
    """Return the standard deviation of both, pooled by degrees of freedom.

    Raises:
        RefusedError: as `welch`.
    """
    (s_a, n_a), (s_b, n_b) = _repeated(a, b)
    return _pooled(s_a, n_a, s_b, n_b)


def _welch_parts(a: Summary, b: Summary) -> tuple[float, float, float]:
    """Difference, its standard error and the degrees of freedom."""
    (s_a, n_a), (s_b, n_b) = _repeated(a, b)
    part_a, part_b = s_a**2 / n_a, s_b**2 / n_b
    df = (part_a + part_b) ** 2 / (part_a**2 / (n_a - 1) + part_b**2 / (n_b - 1))
    return a.mean - b.mean, math.sqrt(part_a + part_b), df


def _pooled(s_a: float, n_a: int, s_b: float, n_b: int) -> float:
    return math.sqrt(((n_a - 1) * s_a**2 + (n_b - 1) * s_b**2) / (n_a + n_b - 2))


def _hedges_g(a: Summary, b: Summary) -> float:
    (s_a, n_a), (s_b, n_b) = _repeated(a, b)
    return hedges_j(n_a + n_b - 2) * (a.mean - b.mean) / _pooled(s_a, n_a, s_b, n_b)


def _against_single(test: str, a: Summary, single: Summary, extra: float) -> Answer:
    _same_definition(a, single)
    s, n = _spread(a)
    if s <= NO_SPREAD:
        raise RefusedError("the model does not vary between repetitions, so p is undefined")
    difference = a.mean - single.mean
    error = s * math.sqrt(extra + 1 / n)
    return _answer(test, difference, error, n - 1, hedges_j(n - 1) * difference / s)


def _answer(test: str, difference: float, error: float, df: float, effect: float) -> Answer:
    p, margin = t_tails(difference, error, df)
    return Answer(test, difference, difference - margin, difference + margin, p, effect)


def _repeated(a: Summary, b: Summary) -> tuple[tuple[float, int], tuple[float, int]]:
    _same_definition(a, b)
    spreads = _spread(a), _spread(b)
    if max(s for s, _ in spreads) <= NO_SPREAD:
        raise RefusedError("neither model varies between repetitions, so p is undefined")
    return spreads


def _same_definition(a: Summary, b: Summary) -> None:
    if a.definition != b.definition:
        raise RefusedError(
            f"{a.definition or 'an unnamed definition'} and "
            f"{b.definition or 'an unnamed definition'} are different definitions, which are "
            "never compared"
        )


def _spread(summary: Summary) -> tuple[float, int]:
    """Standard deviation and n, both there."""
    if summary.std is None:
        raise RefusedError(f"{summary.mean:g} is printed without a standard deviation")
    if summary.n is None:
        raise RefusedError(f"{summary.mean:g} is printed without its number of repetitions")
    if summary.n < 2:
        raise RefusedError(f"a test over repetitions needs two of each; there is n = {summary.n}")
    return summary.std, summary.n

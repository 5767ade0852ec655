"""t tests over repetitions, from their values or from the mean and std that a table prints."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from omnibench.stats.result import (
    ALPHA,
    CONFIDENCE,
    NO_SPREAD,
    SMALLEST_P,
    Answer,
    Floats,
    RefusedError,
    finite,
    paired_differences,
)


def paired_t(a: Floats, b: Floats, pairing_a: Sequence[str], pairing_b: Sequence[str]) -> Answer:
    """Test the mean difference of repetitions that share their seeds.

    Assumes that the differences are independent and about normal.

    Args:
        a, b: [n] values of repetition 0, 1, ... of the two models.
        pairing_a, pairing_b: [n] hashes of each repetition's seeds.

    Returns:
        Interval t(n - 1); effect = J(n - 1) * mean(d) / sd(d), d = a - b (Hedges 1981).

    Raises:
        RefusedError: the repetitions do not share their seeds, n < 2, or the differences do not
            vary.
    """
    return _test("paired t", _paired(a, b, pairing_a, pairing_b))


def welch_t(a: Floats, b: Floats) -> Answer:
    """Test the difference of two means of independent repetitions, variances unequal.

    Assumes about normal values; at n = 3 it rejects 3.4 % at a nominal 5 %.

    Args:
        a: [n_a] values; b: [n_b] values.

    Returns:
        Interval t with Welch-Satterthwaite's degrees of freedom; effect = J(n_a + n_b - 2) *
        difference / pooled sd (Hedges 1981).

    Raises:
        RefusedError: fewer than two repetitions of either, or neither varies.
    """
    return _test("Welch t (unpaired)", _unpaired(a, b))


def tost_paired(
    a: Floats, b: Floats, pairing_a: Sequence[str], pairing_b: Sequence[str], margin: float
) -> Answer:
    """Test equivalence within +-margin of repetitions that share their seeds, as `tost` does.

    Args:
        a, b, pairing_a, pairing_b: as in `paired_t`.
        margin: in the values' own unit, declared beforehand.

    Raises:
        RefusedError: as `paired_t`, or the margin is not above 0.
    """
    return _test_equivalence("TOST, paired t", _paired(a, b, pairing_a, pairing_b), margin)


def tost_welch(a: Floats, b: Floats, margin: float) -> Answer:
    """Test equivalence within +-margin of independent repetitions, as `tost` does.

    Raises:
        RefusedError: as `welch_t`, or the margin is not above 0.
    """
    return _test_equivalence("TOST, Welch t (unpaired)", _unpaired(a, b), margin)


def prediction_t(a: Floats, b: Floats) -> Answer:
    """Test whether the single run could be one more of the other model's.

    t = difference / (s sqrt(1 + 1/n)). Assumes normal values, and that the single run varies as
    much as the repeated ones.

    Args:
        a, b: [n] values; one of the two holds one.

    Raises:
        RefusedError: neither or both are single, a value is undefined, or nothing varies.

    Source:
        As `prediction`.
    """
    return _values_against_single("prediction t", prediction, a, b)


def one_sample_t(a: Floats, b: Floats) -> Answer:
    """Test a mean as if the single run were the other model's true mean, which it is not.

    Of two equal models it finds a difference in 16 % (n = 3), 32 % (n = 5) or 51 % (n = 10) at a
    nominal 5 %; `prediction_t` is the test to report.

    Args, Raises:
        As `prediction_t`.
    """
    return _values_against_single("one-sample t", one_sample, a, b)


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
    return _test("welch", _welch(a.mean - b.mean, *_repeated(a, b)))


def student(a: Summary, b: Summary) -> Answer:
    """Test a difference of means, variances taken as equal (Student 1908).

    Assumes independent repetitions, about normal, of one variance.

    Raises:
        RefusedError: as `welch`.
    """
    spreads = _repeated(a, b)
    (_, n_a), (_, n_b) = spreads
    estimate = _welch(a.mean - b.mean, *spreads)
    error = pooled_sd(*spreads) * math.sqrt(1 / n_a + 1 / n_b)
    return _test("student", estimate._replace(error=error, df=n_a + n_b - 2))


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
    return _test_equivalence("TOST (Welch)", _welch(a.mean - b.mean, *_repeated(a, b)), margin)


def pooled_std(a: Summary, b: Summary) -> float:
    """Return the standard deviation of both, pooled by degrees of freedom.

    Raises:
        RefusedError: as `welch`.
    """
    return pooled_sd(*_repeated(a, b))


class Estimate(NamedTuple):
    """A difference of means with its standard error, degrees of freedom and Hedges g."""

    difference: float
    error: float
    df: float
    effect: float


Spread = tuple[float, int]  # a model's variance (ddof = 1), and how many repetitions it is of


def pooled_sd(a: Spread, b: Spread) -> float:
    """Return the standard deviation of both, pooled by degrees of freedom."""
    (variance_a, n_a), (variance_b, n_b) = a, b
    return math.sqrt(((n_a - 1) * variance_a + (n_b - 1) * variance_b) / (n_a + n_b - 2))


def hedges_j(df: int) -> float:
    """Return the exact small-sample factor J of Hedges 1981, eq. 6e; NaN for df < 2.

    J(df) = gamma(df / 2) / (sqrt(df / 2) * gamma((df - 1) / 2)).
    """
    if df < 2:
        return math.nan
    return math.exp(math.lgamma(df / 2) - math.lgamma((df - 1) / 2)) / math.sqrt(df / 2)


def t_tails(difference: float, error: float, df: float) -> tuple[float, float]:
    """Return the two-sided p of difference / error under t(df), and the 95 % margin."""
    from scipy.special import stdtr, stdtrit  # a whole scipy.stats costs seconds to import

    p = 2 * float(stdtr(df, -abs(difference) / error))
    return max(p, SMALLEST_P), float(stdtrit(df, (1 + CONFIDENCE) / 2)) * error


def _test(test: str, estimate: Estimate) -> Answer:
    d = estimate.difference
    p, margin = t_tails(d, estimate.error, estimate.df)
    return Answer(test, d, d - margin, d + margin, p, estimate.effect)


def _test_equivalence(test: str, estimate: Estimate, margin: float) -> Answer:
    from scipy.special import stdtr, stdtrit  # a whole scipy.stats costs seconds to import

    if not margin > 0:
        raise RefusedError(f"an equivalence margin is above 0, not {margin}")
    d, error, df = estimate.difference, estimate.error, estimate.df
    p = max(float(stdtr(df, (abs(d) - margin) / error)), SMALLEST_P)
    reach = float(stdtrit(df, 1 - ALPHA)) * error
    return Answer(test, d, d - reach, d + reach, p, estimate.effect)


def _paired(a: Floats, b: Floats, pairing_a: Sequence[str], pairing_b: Sequence[str]) -> Estimate:
    d = paired_differences(a, b, pairing_a, pairing_b)
    n = len(d)
    _refuse_few(n, n)
    spread = float(d.std(ddof=1))
    if spread <= NO_SPREAD:
        raise RefusedError("the difference is the same in every repetition, so p is undefined")
    mean = float(d.mean())
    return Estimate(mean, spread / math.sqrt(n), n - 1, hedges_j(n - 1) * mean / spread)


def _unpaired(a: Floats, b: Floats) -> Estimate:
    a, b = finite(a, b)
    _refuse_few(len(a), len(b))
    spreads = (float(a.var(ddof=1)), len(a)), (float(b.var(ddof=1)), len(b))
    return _welch(float(a.mean() - b.mean()), *spreads)


def _welch(difference: float, a: Spread, b: Spread) -> Estimate:
    """Return the estimate with Welch-Satterthwaite's degrees of freedom."""
    (variance_a, n_a), (variance_b, n_b) = a, b
    part_a, part_b = variance_a / n_a, variance_b / n_b
    if math.sqrt(max(variance_a, variance_b)) <= NO_SPREAD:
        raise RefusedError("neither model varies between repetitions, so p is undefined")
    df = (part_a + part_b) ** 2 / (part_a**2 / (n_a - 1) + part_b**2 / (n_b - 1))
    return Estimate(difference, math.sqrt(part_a + part_b), df, _hedges_g(difference, a, b))


def _hedges_g(difference: float, a: Spread, b: Spread) -> float:
    return hedges_j(a[1] + b[1] - 2) * difference / pooled_sd(a, b)


def _refuse_few(n_a: int, n_b: int) -> None:
    if min(n_a, n_b) < 2:
        raise RefusedError(f"a test over repetitions needs two of each; there are {n_a} and {n_b}")


def _values_against_single(
    name: str, test: Callable[[Summary, Summary], Answer], a: Floats, b: Floats
) -> Answer:
    a, b = finite(a, b)
    if min(len(a), len(b)) != 1 or max(len(a), len(b)) < 2:
        raise RefusedError(
            f"a {name} test is of several repetitions against one; there are {len(a)} and {len(b)}"
        )
    many, single = (a, b) if len(b) == 1 else (b, a)
    answer = test(
        Summary(float(many.mean()), float(many.std(ddof=1)), len(many)),
        Summary(float(single[0]), None, 1),
    )
    named = f"{name} (one run against {len(many)})"
    if len(b) == 1:
        return replace(answer, test=named)
    return replace(
        answer, test=named, difference=-answer.difference, low=-answer.high, high=-answer.low,
        effect=-answer.effect,
    )  # fmt: skip


def _against_single(test: str, a: Summary, single: Summary, extra: float) -> Answer:
    _refuse_other_definition(a, single)
    std, n = _printed_spread(a)
    if std <= NO_SPREAD:
        raise RefusedError("the model does not vary between repetitions, so p is undefined")
    difference = a.mean - single.mean
    error = std * math.sqrt(extra + 1 / n)
    return _test(test, Estimate(difference, error, n - 1, hedges_j(n - 1) * difference / std))


def _repeated(a: Summary, b: Summary) -> tuple[Spread, Spread]:
    """Return variance and n of both, provided that their definition is one."""
    _refuse_other_definition(a, b)
    (std_a, n_a), (std_b, n_b) = _printed_spread(a), _printed_spread(b)
    return (std_a**2, n_a), (std_b**2, n_b)


def _refuse_other_definition(a: Summary, b: Summary) -> None:
    if a.definition != b.definition:
        raise RefusedError(
            f"{a.definition or 'an unnamed definition'} and "
            f"{b.definition or 'an unnamed definition'} are different definitions, which are "
            "never compared"
        )


def _printed_spread(summary: Summary) -> tuple[float, int]:
    """Return std and n, provided that both are printed and n is two or more."""
    if summary.std is None:
        raise RefusedError(f"{summary.mean:g} is printed without a standard deviation")
    if summary.n is None:
        raise RefusedError(f"{summary.mean:g} is printed without its number of repetitions")
    if summary.n < 2:
        raise RefusedError(f"a test over repetitions needs two of each; there is n = {summary.n}")
    return summary.std, summary.n

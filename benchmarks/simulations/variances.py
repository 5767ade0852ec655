"""Why no variance is moderated over the models of a family: what that does to equal models."""

from collections.abc import Iterator

import numpy as np
from scipy.special import digamma, polygamma, stdtr

from benchmarks.simulations import Rate
from omnibench.stats.result import ALPHA, Floats

_TENFOLD = 10**0.5  # SD of a tenfold variance


def families() -> Iterator[tuple[str, list[float]]]:
    """Yield families and the SD of each model's runs, the baseline's first."""
    for k in (3, 5, 10, 22):
        yield f"{k} models, equal variances", [1.0] * k
    for k in (10, 22):
        yield (
            f"{k} models, the variance of half of the rivals tenfold",
            [1.0] * (k - k // 2) + [_TENFOLD] * (k // 2),
        )
    for k in (3, 5, 10, 22):
        yield f"{k} models, one noisy rival", [1.0] * (k - 1) + [_TENFOLD]
    for k in (3, 5, 10, 22):
        yield f"{k} models, a noisy baseline", [_TENFOLD] + [1.0] * (k - 1)


def errors(
    sd: list[float], runs: int, studies: int, rng: np.random.Generator
) -> tuple[tuple[Rate, Rate], tuple[Rate, Rate]]:
    """Return how often equal rivals are called different: (mean, worst rival) of each variance.

    First with moderated variances, then with Welch's test as it is.
    """
    values = rng.standard_normal((studies, len(sd), runs)) * np.array(sd)[:, None]
    leads = values[:, 1:].mean(axis=2) - values[:, :1].mean(axis=2)
    own = values.var(axis=2, ddof=1)
    moderated, df = moderate(own, runs - 1)
    return (
        _rates(leads, moderated / runs, df[:, None]),
        _rates(leads, own / runs, np.full((studies, 1), runs - 1.0)),
    )


def moderate(variances: Floats, df: int) -> tuple[Floats, Floats]:
    """Return variances shrunk to a common prior, and their degrees of freedom: [S, K] and [S].

    Args:
        variances: [S, K] of the K models of each study.
        df: of each.

    Source:
        Smyth 2004, Linear models and empirical Bayes methods, section 6.2, as in limma; degrees of
        freedom are at most those of all models together.
    """
    logs = np.log(variances) - digamma(df / 2) + np.log(df / 2)
    spread = logs.var(axis=1, ddof=1) - polygamma(1, df / 2)
    vary = spread > 0
    prior_df = np.full(len(variances), np.inf)
    prior_df[vary] = 2 * _inverse_trigamma(spread[vary])
    prior = variances.mean(axis=1)
    half = prior_df[vary] / 2
    prior[vary] = np.exp(logs[vary].mean(axis=1) + digamma(half) - np.log(half))
    weight = np.ones(len(variances))
    weight[vary] = prior_df[vary] / (prior_df[vary] + df)
    shrunk = weight[:, None] * prior[:, None] + (1 - weight[:, None]) * variances
    return shrunk, np.minimum(prior_df + df, variances.shape[1] * df)


def _inverse_trigamma(x: Floats) -> Floats:
    """Return y with trigamma(y) = x, by Newton's method (Smyth 2004, appendix)."""
    y = 0.5 + 1 / x
    for _ in range(50):
        value = polygamma(1, y)
        y = y + value * (1 - value / x) / polygamma(2, y)
    inverse: Floats = y
    return inverse


def _rates(leads: Floats, of_means: Floats, df: Floats) -> tuple[Rate, Rate]:
    """Return the mean and the worst rate of two-sided tests with Satterthwaite's df."""
    total = of_means[:, 1:] + of_means[:, :1]
    degrees = total**2 / (of_means[:, 1:] ** 2 / df + of_means[:, :1] ** 2 / df)
    apart = 2 * stdtr(degrees, -np.abs(leads) / np.sqrt(total)) < ALPHA
    each = [Rate.from_outcomes(column.astype(np.float64)) for column in apart.T]
    return Rate.from_outcomes(apart.mean(axis=1)), max(each, key=lambda rate: rate.share)

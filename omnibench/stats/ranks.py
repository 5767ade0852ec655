"""Models over several datasets by rank: Friedman, Nemenyi's critical difference, and pairs."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from omnibench.stats.correction import correction_named
from omnibench.stats.exact_tests import wilcoxon
from omnibench.stats.result import ALPHA, SMALLEST_P, RefusedError


@dataclass(frozen=True)
class Friedman:
    """The answer to whether any of k models differs over N datasets.

    Attributes:
        chi_square: Friedman's, corrected for ties; p_chi_square: with k - 1 degrees of freedom.
        f: Iman and Davenport's, with df_models and df_error degrees of freedom; p: its.
    """

    models: int
    datasets: int
    chi_square: float
    p_chi_square: float
    f: float
    df_models: int
    df_error: int
    p: float


def ranks(scores: pd.DataFrame, lower_is_better: bool = False) -> pd.DataFrame:
    """Return the rank of each model on each dataset, 1 the best; ties share their mean rank.

    Args:
        scores: one row a dataset, one column a model.

    Raises:
        RefusedError: fewer than two models or datasets, or a score is missing.
    """
    datasets, models = scores.shape
    if models < 2 or datasets < 2:
        raise RefusedError(
            f"ranks over datasets need two models and two datasets; there are {models} and "
            f"{datasets}"
        )
    values = scores.to_numpy(dtype=np.float64)
    missing = [
        f"{scores.columns[column]} on {scores.index[row]}"
        for row, column in np.argwhere(~np.isfinite(values))
    ]
    if missing:
        raise RefusedError(
            f"ranks need every model on every dataset; missing: {', '.join(missing)}"
        )
    rounded = scores.round(12)  # what differs by rounding noise only is tied
    return rounded.rank(axis=1, ascending=lower_is_better)


def friedman(scores: pd.DataFrame) -> Friedman:
    """Test whether any model differs. Assumes that the datasets are independent.

    Args:
        scores: one row a dataset, one column a model; the direction does not matter.

    Raises:
        RefusedError: fewer than three models, a score is missing, or all are tied everywhere.

    Source:
        Friedman 1937; Iman & Davenport 1980; total agreement, where F is infinite: p = (1 / k!)^(N
        - 1), Conover 1999, section 5.8.
    """
    from scipy.special import chdtrc, fdtrc

    table = ranks(scores).to_numpy()
    datasets, k = table.shape
    if k < 3:
        raise RefusedError("Friedman's test needs three models; compare two by Wilcoxon's")
    deviations = float(((table - (k + 1) / 2) ** 2).sum())
    if deviations == 0:
        raise RefusedError("all models are tied on every dataset, so p is undefined")
    sums = table.sum(axis=0) - datasets * (k + 1) / 2
    chi_square = (k - 1) * float((sums**2).sum()) / deviations
    rest = datasets * (k - 1) - chi_square
    df_error = (k - 1) * (datasets - 1)
    p_chi_square = max(float(chdtrc(k - 1, chi_square)), SMALLEST_P)
    if rest <= 1e-9 * datasets:
        f, p = math.inf, max(math.factorial(k) ** -float(datasets - 1), SMALLEST_P)
    else:
        f = (datasets - 1) * chi_square / rest
        p = max(float(fdtrc(k - 1, df_error, f)), SMALLEST_P)
    return Friedman(k, datasets, chi_square, p_chi_square, f, k - 1, df_error, p)


def critical_difference(models: int, datasets: int) -> float:
    """Return Nemenyi's critical difference of mean ranks at level .05: q sqrt(k (k + 1) / (6 N)).

    q is the studentized range of k means over sqrt 2: k = 8, N = 8 give 3.71.

    Source:
        Nemenyi 1963; Demsar 2006, section 3.2.2.
    """
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1 - ALPHA, models, math.inf)) / math.sqrt(2)
    return q * math.sqrt(models * (models + 1) / (6 * datasets))


def wilcoxon_pairs(scores: pd.DataFrame, correction: str = "holm") -> pd.DataFrame:
    """Return the exact Wilcoxon test of every two models over datasets, all p printed.

    Args:
        scores: one row a dataset, one column a model.

    Returns:
        One row a pair: a, b, difference (Hodges-Lehmann, a - b), p, p_corrected, note (why there is
        no p: fewer than six datasets on which the two differ).

    Raises:
        RefusedError: as `ranks`.
    """
    ranks(scores)
    names = [str(name) for name in scores.index]
    rows = []
    for a, b in combinations(scores.columns, 2):
        values = [scores[name].to_numpy(dtype=np.float64) for name in (a, b)]
        try:
            answer = wilcoxon(values[0], values[1], names, names)
            rows.append((a, b, answer.difference, answer.p, ""))
        except RefusedError as reason:
            rows.append((a, b, float(np.mean(values[0] - values[1])), math.nan, str(reason)))
    frame = pd.DataFrame(rows, columns=["a", "b", "difference", "p", "note"])
    corrected = correction_named(correction)(frame["p"].to_numpy(dtype=np.float64))
    frame.insert(4, "p_corrected", corrected)
    return frame


def groups_by_nemenyi(mean_ranks: pd.Series, datasets: int) -> list[list[str]]:
    """Return the groups whose mean ranks lie within the critical difference, for a diagram's bars.

    Args:
        mean_ranks: model -> mean rank.

    Returns:
        The largest runs of two and more models from the best on; groups may overlap.
    """
    reach = critical_difference(len(mean_ranks), datasets)
    return _runs(mean_ranks, lambda a, b: bool(abs(mean_ranks[a] - mean_ranks[b]) >= reach))


def groups_by_pairs(mean_ranks: pd.Series, pairs: pd.DataFrame) -> list[list[str]]:
    """Return the runs of models of which no two are told apart by `wilcoxon_pairs`."""
    differing = pairs[pairs["p_corrected"] < ALPHA]
    apart = {frozenset(pair) for pair in zip(differing["a"], differing["b"], strict=True)}
    return _runs(mean_ranks, lambda a, b: frozenset((a, b)) in apart)


def _runs(mean_ranks: pd.Series, apart: Callable[[str, str], bool]) -> list[list[str]]:
    order = [str(name) for name in mean_ranks.sort_values(kind="stable").index]
    runs: list[list[str]] = []
    for start in range(len(order)):
        stop = start + 1
        while stop < len(order) and not any(apart(a, order[stop]) for a in order[start:stop]):
            stop += 1
        run = order[start:stop]
        if len(run) > 1 and not (runs and run[-1] in runs[-1]):
            runs.append(run)
    return runs

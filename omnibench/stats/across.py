"""Sum up over datasets: mean difference, interquartile mean, probability of improvement.

Datasets are fixed: what is said holds for these datasets, not for new ones. For the interquartile
mean and the probability of improvement repetitions are resampled within each dataset (stratified),
so that they are for these test images; the random state is fixed. After Agarwal et al. 2021.
"""

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.compare import Rules
from omnibench.stats.correction import correction_named
from omnibench.stats.pair import TURNED, Comparison, Verdict, direction
from omnibench.stats.result import ALPHA, CONFIDENCE, NO_SPREAD, Floats, RefusedError, finite
from omnibench.stats.t_tests import t_tails
from omnibench.stats.units import Score, undecoded

RESAMPLES = 10_000
_SEED = 2


@dataclass(frozen=True)
class Aggregate:
    """A number over datasets with its 95 % percentile interval."""

    value: float
    low: float
    high: float
    datasets: int


def interquartile_mean(values: Floats) -> Floats:
    """Return the mean of what is left when a quarter of the values is cut off at either end.

    Args:
        values: [..., n]; int(n / 4) are cut at each end.

    Source:
        Agarwal et al. 2021, Deep reinforcement learning at the edge of the statistical precipice,
        section 4.3; a 25 % trimmed mean.
    """
    cut = values.shape[-1] // 4
    ordered = np.sort(values, axis=-1)
    means: Floats = ordered[..., cut : ordered.shape[-1] - cut].mean(axis=-1)
    return means


def aggregate_iqm(
    repetitions: Mapping[str, Sequence[float] | Floats], resamples: int = RESAMPLES
) -> Aggregate:
    """Return the interquartile mean over all runs of all datasets, with its interval.

    Assumes metrics on one scale; few repetitions a dataset make the interval too narrow.

    Args:
        repetitions: dataset -> values of one model's repetitions.

    Raises:
        RefusedError: a dataset has fewer than two repetitions, or a value that is not finite.
    """
    strata = _strata(repetitions, "it")
    rng = np.random.default_rng(_SEED)
    drawn = np.concatenate(
        [s[rng.integers(len(s), size=(resamples, len(s)))] for s in strata.values()], axis=1
    )
    observed = interquartile_mean(np.concatenate([*strata.values()]))
    return _summary(float(observed), interquartile_mean(drawn), len(strata))


def probability_of_improvement(
    a: Mapping[str, Sequence[float] | Floats],
    b: Mapping[str, Sequence[float] | Floats],
    lower_is_better: bool = False,
    resamples: int = RESAMPLES,
) -> Aggregate:
    """Return how likely a run of a beats a run of b on a dataset drawn from these.

    The mean over datasets of P(a > b) + P(a = b) / 2 over all pairs of runs (Mann-Whitney's U).

    Args:
        a, b: dataset -> values of the model's repetitions; the same datasets.

    Raises:
        RefusedError: not the same datasets, fewer than two repetitions, or an undefined value.

    Source:
        Agarwal et al. 2021, section 4.3.
    """
    if set(a) != set(b):
        raise RefusedError(f"only one of the two was run on {', '.join(sorted(set(a) ^ set(b)))}")
    strata_a, strata_b = _strata(a, "a"), _strata(b, "b")
    wins_of = [wins_of_runs(x, strata_b[name], lower_is_better) for name, x in strata_a.items()]
    shares = _shares(tuple(n for wins in wins_of for n in wins.shape), resamples)
    observed, drawn = 0.0, np.zeros(resamples)
    for wins, of_a, of_b in zip(wins_of, shares[::2], shares[1::2], strict=True):
        observed += float(wins.mean())
        drawn += ((of_a @ wins) * of_b).sum(axis=1)
    return _summary(observed / len(strata_a), drawn / len(strata_a), len(strata_a))


def wins_of_runs(a: Floats, b: Floats, lower_is_better: bool = False) -> Floats:
    """Return 1 where run i of a beats run j of b, 1/2 where they are equal, else 0: [n_a, n_b].

    Their mean is the probability of improvement on one dataset.
    """
    differences = a[:, None] - b
    wins: Floats = (1 + np.sign(-differences if lower_is_better else differences)) / 2
    return wins


def _strata(
    repetitions: Mapping[str, Sequence[float] | Floats], who: str
) -> dict[str, NDArray[np.float64]]:
    if not repetitions:
        raise RefusedError("there is no dataset to aggregate over")
    strata = {}
    for name, values in repetitions.items():
        try:
            (strata[name],) = finite(np.asarray(values, dtype=np.float64))
        except RefusedError as reason:
            raise RefusedError(f"{name}: {reason}") from reason
        if len(strata[name]) < 2:
            raise RefusedError(f"{name}: {who} has fewer than two repetitions to resample")
    return strata


@functools.lru_cache(maxsize=1)  # every pair of a report has the same
def _shares(counts: tuple[int, ...], resamples: int) -> list[Floats]:
    """Return how often each run is drawn, as shares [resamples, n], for each count n of runs."""
    rng = np.random.default_rng(_SEED)
    return [rng.multinomial(n, np.full(n, 1 / n), size=resamples) / n for n in counts]


def _summary(observed: float, drawn: Floats, datasets: int) -> Aggregate:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return Aggregate(observed, float(low), float(high), datasets)


@dataclass(frozen=True)
class Overall:
    """One pair of backbones in one metric, with one adaptation, on average over datasets.

    The datasets are these: nothing is said of others. On each of them new images and new runs are
    allowed for, as in its own comparison.

    Attributes:
        datasets: how many were compared; those without a difference are counted in `missing`.
        mean_difference: unweighted, a - b, as a fraction; NaN where nothing was compared.
        wins, losses: datasets on which a's mean is better or worse; ties are neither.
        low, high: 95 % interval of the mean difference; NaN unless two datasets and all that were
            compared are tested.
        p: two-sided.
        p_corrected: over its family, the backbones compared with b in the primary metric with
            this adaptation, and for each look at a dataset.
        looks: the most at any of the datasets; 0 where repetitions were fixed beforehand.
        verdict: as of a Comparison; "untested" of a single dataset.
    """

    task: str
    adaptation: str
    definition: str
    metric: str
    backbone_a: str
    backbone_b: str
    datasets: int
    missing: int
    mean_difference: float
    wins: int | None
    losses: int | None
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    p_corrected: float = math.nan
    family: int = 0
    looks: int = 0
    verdict: Verdict = "untested"

    @property
    def score(self) -> Score:
        """Return definition and metric."""
        return self.definition, self.metric

    @property
    def reversed(self) -> "Overall":
        """Return the same of b and a."""
        return replace(
            self,
            backbone_a=self.backbone_b,
            backbone_b=self.backbone_a,
            mean_difference=-self.mean_difference,
            wins=self.losses,
            losses=self.wins,
            low=-self.high,
            high=-self.low,
            verdict=TURNED.get(self.verdict, self.verdict),
        )


def by_dataset(
    comparisons: Iterable[Comparison],
) -> dict[tuple[str, str, str, str, str, str], list[Comparison]]:
    """Group comparisons that differ in their dataset alone, in order of first appearance.

    Returns:
        (task, adaptation, definition, metric, backbone a, backbone b) -> its comparisons.
    """
    groups: dict[tuple[str, str, str, str, str, str], list[Comparison]] = {}
    for row in comparisons:
        pair = (row.backbone_a, row.backbone_b)
        key = (row.task, row.adaptation, row.definition, row.metric, *pair)
        groups.setdefault(key, []).append(row)
    return groups


def overall(comparisons: Iterable[Comparison], rules: Rules) -> list[Overall]:
    """Sum up each group of `by_dataset`, in its order."""
    sums = [_overall(key, rows, rules) for key, rows in by_dataset(comparisons).items()]
    families: dict[tuple[str, ...], list[int]] = {}
    for position, row in enumerate(sums):
        if not math.isnan(row.p) and row.verdict != "described":
            key = (row.task, row.adaptation, row.definition, row.metric, row.backbone_b)
            families.setdefault(key, []).append(position)
    for positions in families.values():
        p = np.array([min(sums[k].p * max(1, sums[k].looks), 1.0) for k in positions])
        corrected = correction_named(rules.correction)(p).tolist()
        for k, adjusted in zip(positions, corrected, strict=True):
            row = replace(sums[k], p_corrected=adjusted, family=len(positions))
            falling = undecoded(row.score) in rules.lower_is_better
            if adjusted < ALPHA:
                row = replace(row, verdict=direction(row.mean_difference, falling))
            sums[k] = row
    return sums


def _overall(key: tuple[str, ...], rows: Sequence[Comparison], rules: Rules) -> Overall:
    task, adaptation, definition, metric, a, b = key
    differences = [row.difference for row in rows if not math.isnan(row.difference)]
    falling = undecoded((definition, metric)) in rules.lower_is_better
    gains = [-d if falling else d for d in differences]
    directed = undecoded((definition, metric)) not in rules.undirected
    made = Overall(
        *(task, adaptation, definition, metric, a, b),
        datasets=len(differences),
        missing=len(rows) - len(differences),
        mean_difference=fmean(differences) if differences else math.nan,
        wins=sum(gain > 0 for gain in gains) if directed else None,
        losses=sum(gain < 0 for gain in gains) if directed else None,
    )
    compared = [row for row in rows if not math.isnan(row.difference)]
    if len(compared) < 2 or any(row.test == "none" for row in compared):
        return made
    if all(row.verdict == "identical" for row in compared):
        return replace(made, low=0.0, high=0.0, p=1.0, verdict="identical")
    variances = [(row.error / len(compared)) ** 2 for row in compared]
    total = sum(variances)
    if math.sqrt(total) <= NO_SPREAD:
        return made
    df = total**2 / sum(v**2 / row.df for v, row in zip(variances, compared, strict=True))
    p, margin = t_tails(made.mean_difference, math.sqrt(total), df)
    looks = max(row.looks for row in compared)
    verdict: Verdict = "undecided" if all(row.primary for row in compared) else "described"
    low, high = made.mean_difference - margin, made.mean_difference + margin
    return replace(made, low=low, high=high, p=p, looks=looks, verdict=verdict)

"""Bootstrap metrics of counts and of means: over test cases, or over cases and repetitions."""

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.rates import Bools, Counts, Metric
from omnibench.stats.result import CONFIDENCE, NO_SPREAD, Answer, Floats, RefusedError
from omnibench.stats.t_tests import t_tails

Ints = NDArray[np.intp]
Sums = NDArray[np.floating[Any]]  # float32 where it holds counts exactly

RESAMPLES = 10_000
_SEED, _HIERARCHICAL_SEED = 0, 1
_CHUNK = 4_000_000  # draws in hand at once
_BLOCK = 200_000  # sums in hand at once
_KEPT = 256_000_000  # bytes of resamples kept for the next pair


def resampled_scores(
    truth: Bools,
    predicted: Bools,
    cluster: Ints,
    metrics: Mapping[str, Metric],
    resamples: int = RESAMPLES,
) -> dict[str, Floats]:
    """Return one model's metrics of decisions on resampled cases, each [1 + resamples].

    First the score itself, then that of each resample, all as means over repetitions. Every model
    meets the same resamples, so that differences are paired.

    Args:
        truth: [N, K] one-hot classes or labels.
        predicted: [R, N, K] predictions in the same form.
        cluster: [N] index of the case's patient, who is resampled as a whole; 0 .. N-1 where
            every case stands alone.
        metrics: name -> function of counts.
    """

    def scores(sums: Sums) -> Floats:
        counts = counts_of(sums, truth.shape[1])
        return np.stack([metric(counts).mean(axis=0) for metric in metrics.values()])

    rows = sum_by_cluster(contributions(truth, predicted), cluster)
    refuse_one_patient(len(rows))
    observed = scores(rows.sum(axis=0)[:, None])
    drawn = [scores(sums) for sums in resampled_sums(rows, resamples)]
    return dict(zip(metrics, np.concatenate([observed, *drawn], axis=1), strict=True))


def compare_resampled(
    a: Mapping[str, Floats], b: Mapping[str, Floats]
) -> dict[str, Answer | RefusedError]:
    """Test the difference of each metric of two models' `resampled_scores`."""
    differences = {name: a[name] - b[name] for name in a}
    return {name: _summary(float(d[0]), d[1:]) for name, d in differences.items()}


def bootstrap_means(
    differences: Floats, cluster: Ints, resamples: int = RESAMPLES
) -> list[Answer | RefusedError]:
    """Test mean differences over cases: one answer for each of the K columns.

    Args:
        differences: [N, K] of a and b in each case.
        cluster: as in `resampled_scores`.
    """
    rows = np.column_stack([np.ones(len(differences)), differences])
    return _paired_bootstrap(rows, cluster, lambda sums: sums[1:] / sums[0], resamples)


def _paired_bootstrap(
    rows: Sums, cluster: Ints, differences: Callable[[Sums], Floats], resamples: int
) -> list[Answer | RefusedError]:
    """Test differences a - b that follow from sums over cases, resampled jointly for both models.

    Assumes independent patients (cases where they are unknown), drawn from those the answer is for,
    and enough of them; nothing is said about another training run. Interval: percentiles. p:
    inversion of that interval, 2 * min(#{d* <= 0} + 1, #{d* >= 0} + 1) / (B + 1), at most 1; so p
    is never below 2 / (B + 1). The random state is fixed.

    Args:
        rows: [N, columns], what each case adds to the sums.
        differences: sums [columns, B] -> [K, B].

    Source:
        Efron & Tibshirani 1993, chapters 13 and 15; by patient: Field & Welsh 2007.
    """
    rows = sum_by_cluster(rows, cluster)
    refuse_one_patient(len(rows))
    observed = differences(rows.sum(axis=0)[:, None])[:, 0]
    drawn = [differences(sums) for sums in resampled_sums(rows, resamples)]
    columns = np.concatenate(drawn, axis=1)
    return [_summary(float(d), column) for d, column in zip(observed, columns, strict=True)]


def refuse_one_patient(patients: int) -> None:
    """Raise RefusedError where there is one patient alone, who tells nothing of others."""
    if patients < 2:
        raise RefusedError("all test cases are of one patient, so p is undefined")


def contributions(truth: Bools, predicted: Bools) -> NDArray[np.float32]:
    """Return what each case adds to the fields of Counts, side by side: [N, 1 + (1 + 2 M) K]."""
    cases = np.ones((len(truth), 1), dtype=np.bool_)
    fields = np.concatenate([truth[None], predicted, predicted & truth]).transpose(1, 0, 2)
    return np.hstack([cases, fields.reshape(len(truth), -1)]).astype(np.float32)


def sum_by_cluster(rows: Sums, cluster: Ints) -> Sums:
    """Sum the cases' rows within each cluster; the clusters are then what is resampled."""
    if len(np.unique(cluster)) == len(cluster):
        return rows
    order = np.argsort(cluster, kind="stable")
    starts = np.flatnonzero(np.diff(cluster[order], prepend=-1))
    return np.add.reduceat(rows[order], starts, axis=0)


def counts_of(sums: Sums, classes: int) -> Counts:
    """Return resampled sums [columns, B] as Counts; float32 held them exactly below 2^24."""
    sums_of_class = sums[1:].astype(np.float64).reshape(-1, classes, sums.shape[1])
    models = len(sums_of_class) // 2
    return Counts(
        cases=sums[0].astype(np.float64),
        truth=sums_of_class[0],
        predicted=sums_of_class[1 : 1 + models],
        hits=sums_of_class[1 + models :],
    )


def resampled_sums(rows: Sums, resamples: int) -> Iterator[Sums]:
    """Yield the rows' sums over each resample, in blocks that stay in the cache: [columns, b]."""
    size = max(1, _BLOCK // rows.shape[1])
    for weights in resamples_of(len(rows), resamples):
        for start in range(0, len(weights), size):
            yield rows.T @ weights[start : start + size].astype(rows.dtype).T


def resamples_of(units: int, resamples: int) -> Iterable[NDArray[np.uint8]]:
    """Return how often each unit is drawn in each resample: chunks of [b, units].

    The same for every pair of models, so they are kept for the next pair on the same test set.
    """
    if units * resamples <= _KEPT:
        return _kept_resamples(units, resamples)
    return _draw_resamples(units, resamples)


def _draw_resamples(units: int, resamples: int) -> Iterator[NDArray[np.uint8]]:
    rng = np.random.default_rng(_SEED)
    rows = max(1, _CHUNK // units)
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        cells = rng.integers(units, size=(size, units)) + np.arange(size)[:, None] * units
        counts = np.bincount(cells.ravel(), minlength=size * units)
        yield counts.reshape(size, units).astype(np.uint8)  # one case 256 times: never


@functools.lru_cache(maxsize=1)
def _kept_resamples(units: int, resamples: int) -> Sequence[NDArray[np.uint8]]:
    return tuple(_draw_resamples(units, resamples))


def forget_resamples() -> None:
    """Free the resamples that are kept for the next pair."""
    _kept_resamples.cache_clear()


def _summary(observed: float, drawn: Floats) -> Answer | RefusedError:
    if np.ptp(drawn) <= NO_SPREAD:
        return RefusedError("the difference is the same in every resample, so p is undefined")
    below, above = np.sum(drawn <= NO_SPREAD), np.sum(drawn >= -NO_SPREAD)  # rounding is no sign
    p = min(1.0, 2 * (int(min(below, above)) + 1) / (len(drawn) + 1))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return Answer("paired bootstrap", observed, float(low), float(high), p)


def hierarchical_counts(
    truth: Bools,
    a: Bools,
    b: Bools,
    cluster: Ints,
    metrics: Mapping[str, Metric],
    paired: bool,
    resamples: int = RESAMPLES,
) -> dict[str, Answer | RefusedError]:
    """Test differences of metrics of decisions, on new cases and with a new training.

    Args:
        truth: [N, K] one-hot classes or labels.
        a: [R_a, N, K], b: [R_b, N, K] predictions in the same form.
        cluster: [N] index of the case's patient; 0 .. N-1 where every case stands alone.
        metrics: name -> function of counts.
        paired: whether repetition k of a and of b share their seeds.

    Raises:
        RefusedError: fewer than two repetitions or patients, or unequal numbers given as paired.
    """
    rows = contributions(truth, np.concatenate([a, b]))

    def scores(sums: Sums) -> Floats:
        counts = counts_of(sums, truth.shape[1])
        return np.stack([metric(counts) for metric in metrics.values()])

    answers = _hierarchical_bootstrap(rows, cluster, scores, (len(a), len(b)), paired, resamples)
    return dict(zip(metrics, answers, strict=True))


def hierarchical_means(
    a: Floats, b: Floats, cluster: Ints, paired: bool, resamples: int = RESAMPLES
) -> Answer | RefusedError:
    """Test the difference of a metric that is a mean over cases, as `hierarchical_counts` does.

    Args:
        a: [R_a, N], b: [R_b, N] values of each case in each repetition.
    """
    values = np.concatenate([a, b])
    if not np.isfinite(values).all():
        raise RefusedError("the metric is undefined in some test cases")
    rows = np.column_stack([np.ones(values.shape[1]), values.T])
    (answer,) = _hierarchical_bootstrap(
        rows, cluster, lambda sums: (sums[1:] / sums[0])[None], (len(a), len(b)), paired, resamples
    )
    return answer


def _hierarchical_bootstrap(
    rows: Sums,
    cluster: Ints,
    scores: Callable[[Sums], Floats],
    repetitions: tuple[int, int],
    paired: bool,
    resamples: int,
) -> list[Answer | RefusedError]:
    """Test differences of scores, resampling patients and, crossed with them, repetitions.

    Every repetition is tested on the same cases, so the two are crossed, not nested. Of R
    repetitions R - 1 are drawn, which makes the variance of their mean unbiased (drawing R makes it
    (R - 1) / R of that). Percentiles of so few repetitions cover too rarely, so the interval is
    difference -+ t(df) * the bootstrap's standard error, df from Satterthwaite's formula over what
    repetitions (R - 1) and patients (G - 1) contribute. Assumes about normal differences between
    repetitions. The random state is fixed.

    Args:
        rows: [N, columns], what each case adds to the sums.
        scores: sums [columns, B] -> [metrics, R_a + R_b, B].

    Source:
        Owen 2007, The pigeonhole bootstrap; R - 1: McCarthy & Snowden 1985; df: Satterthwaite 1946.
    """
    _refuse_repetitions(repetitions, paired)
    rows = sum_by_cluster(rows, cluster)
    refuse_one_patient(len(rows))
    observed = scores(rows.sum(axis=0)[:, None])[:, :, 0]  # [metrics, R_a + R_b]
    rng = np.random.default_rng(_HIERARCHICAL_SEED)
    drawn = []
    for sums in resampled_sums(rows, resamples):
        signed = _weights(rng, repetitions, paired, sums.shape[1])  # [R_a + R_b, b]
        drawn.append((scores(sums) * signed).sum(axis=1))
    spread = np.concatenate(drawn, axis=1).var(axis=1, ddof=1)
    return [
        _hierarchical_answer(each, float(variance), repetitions, paired, len(rows))
        for each, variance in zip(observed, spread, strict=True)
    ]


def _refuse_repetitions(repetitions: tuple[int, int], paired: bool) -> None:
    n_a, n_b = repetitions
    if min(n_a, n_b) < 2:
        raise RefusedError(f"a new run cannot be told from {n_a} and {n_b} repetitions; run two")
    if paired and n_a != n_b:
        raise RefusedError(f"{n_a} and {n_b} repetitions are not paired")


def _weights(
    rng: np.random.Generator, repetitions: tuple[int, int], paired: bool, size: int
) -> Floats:
    """Return each repetition's weight in each resample, [R_a + R_b, size]: + for a, - for b."""
    shares = [rng.multinomial(n - 1, np.full(n, 1 / n), size=size).T / (n - 1) for n in repetitions]
    return np.concatenate([shares[0], -shares[0] if paired else -shares[1]])


def _hierarchical_answer(
    observed: Floats, variance: float, repetitions: tuple[int, int], paired: bool, patients: int
) -> Answer | RefusedError:
    a, b = observed[: repetitions[0]], observed[repetitions[0] :]
    parts = [a - b] if paired else [a, b]
    of_runs = [(float(part.var(ddof=1)) / len(part), len(part) - 1) for part in parts]
    if math.sqrt(max(variance, 0.0)) <= NO_SPREAD:
        return RefusedError("the difference is the same in every resample, so p is undefined")
    of_cases = max(0.0, variance - sum(part for part, _ in of_runs))
    degrees = of_cases**2 / (patients - 1) + sum(part**2 / df for part, df in of_runs)
    total = of_cases + sum(part for part, _ in of_runs)
    difference = float(a.mean() - b.mean())
    p, margin = t_tails(difference, math.sqrt(total), total**2 / degrees)
    how = "seeds shared" if paired else "unpaired"
    return Answer(
        f"hierarchical bootstrap (cases and repetitions, {how})",
        difference, difference - margin, difference + margin, p,
    )  # fmt: skip

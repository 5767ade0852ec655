"""Which model is better on new images and a new run: repetitions and cases resampled together."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from omnibench.stats.bootstrap import (
    RESAMPLES,
    Bools,
    Floats,
    Ints,
    Sums,
    contributions,
    counts_of,
    refuse_one_patient,
    resampled_sums,
    sum_by_cluster,
)
from omnibench.stats.rates import Metric
from omnibench.stats.result import NO_SPREAD, Answer, RefusedError
from omnibench.stats.seeds import t_tails

_SEED = 1


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

    answers = _bootstrap(rows, cluster, scores, (len(a), len(b)), paired, resamples)
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
    (answer,) = _bootstrap(
        rows, cluster, lambda sums: (sums[1:] / sums[0])[None], (len(a), len(b)), paired, resamples
    )
    return answer


def _bootstrap(
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
    _refuse(repetitions, paired)
    rows = sum_by_cluster(rows, cluster)
    refuse_one_patient(len(rows))
    observed = scores(rows.sum(axis=0)[:, None])[:, :, 0]  # [metrics, R_a + R_b]
    rng = np.random.default_rng(_SEED)
    drawn = []
    for sums in resampled_sums(rows, resamples):
        signed = _weights(rng, repetitions, paired, sums.shape[1])  # [R_a + R_b, b]
        drawn.append((scores(sums) * signed).sum(axis=1))
    spread = np.concatenate(drawn, axis=1).var(axis=1, ddof=1)
    return [
        _answer(each, float(variance), repetitions, paired, len(rows))
        for each, variance in zip(observed, spread, strict=True)
    ]


def _refuse(repetitions: tuple[int, int], paired: bool) -> None:
    n_a, n_b = repetitions
    if min(n_a, n_b) < 2:
        raise RefusedError(f"a new run cannot be told from {n_a} and {n_b} repetitions; run two")
    if paired and n_a != n_b:
        raise RefusedError(f"{n_a} and {n_b} repetitions are not paired")


def _weights(
    rng: np.random.Generator, repetitions: tuple[int, int], paired: bool, size: int
) -> Floats:
    """What each repetition's score counts in each resample: + for a, - for b; [R_a + R_b, size]."""
    shares = [rng.multinomial(n - 1, np.full(n, 1 / n), size=size).T / (n - 1) for n in repetitions]
    return np.concatenate([shares[0], -shares[0] if paired else -shares[1]])


def _answer(
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

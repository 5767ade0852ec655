"""What a task's first metric says over several datasets, as tables of texts."""

import math
from collections.abc import Iterable, Iterator
from functools import partial

import pandas as pd

from omnibench.report.complete import Complete
from omnibench.report.numbers import number, probability
from omnibench.report.plain import PlainTable
from omnibench.report.sentences import CORRECTED
from omnibench.stats.across import aggregate_iqm, probability_of_improvement
from omnibench.stats.pair import FROZEN
from omnibench.stats.ranks import critical_difference, friedman, ranks, wilcoxon_pairs
from omnibench.stats.result import RefusedError

FEW = 5  # datasets; below, hardly any difference of ranks can be told
MOST = 40  # backbones whose pairs are all tested: 780
RESAMPLES = 2_000
ABSENT = "\N{EN DASH}"
PAIR = "pair"  # over the first column of a table of pairs


def across_tables(
    found: Iterable[Complete], baseline: str | None, correction: str
) -> list[PlainTable]:
    """Return a table of ranks and aggregates and one of all pairs, for each task and adaptation.

    Where a statistic is refused its reason stands in the caption.

    Args:
        correction: of the pairs' p, as a suite names it.
    """
    tables = []
    for one in found:
        title = f"Across datasets: {one.title}"
        try:
            places = ranks(one.means, one.falling).mean().sort_values(kind="stable")
        except RefusedError as reason:
            caption = " ".join([f"Refused: {reason}.", *one.left])
            tables.append(PlainTable(title, (), (), caption))
            continue
        tables.append(_standings(one, title, places, baseline))
        tables.append(_pairs(one, f"Pairs across datasets: {one.title}", correction))
    return tables


def _standings(one: Complete, title: str, places: pd.Series, baseline: str | None) -> PlainTable:
    heads = ["backbone", "mean rank", "interquartile mean", "95 % interval"]
    columns = {"interquartile mean": partial(_interquartile_mean, one)}
    if baseline is not None and baseline in one.runs:
        heads += [f"P(better than {baseline})", "95 % interval of P"]
        what = f"probability of improvement over {baseline}"
        columns[what] = partial(_improvement, one, baseline)
    refused: dict[str, list[str]] = {}
    rows = []
    for name, place in places.items():
        row = [str(name), f"{place:.2f}"]
        for what, texts in columns.items():
            try:
                row += texts(str(name))
            except RefusedError as reason:
                refused.setdefault(f"{what}: {reason}", []).append(str(name))
                row += (ABSENT, ABSENT)
        rows.append(tuple(row))
    caption = [
        *subject(one),
        *_measures(one, baseline, any(row[2] != ABSENT for row in rows)),
        *tests(one),
        *(f"Refused for {', '.join(names)}: {why}." for why, names in refused.items()),
        *one.left,
        *_controls(one),
    ]
    return PlainTable(title, tuple(heads), tuple(rows), " ".join(caption))


def _interquartile_mean(one: Complete, name: str) -> tuple[str, str]:
    made = aggregate_iqm(one.runs[name], RESAMPLES)
    value, low, high = (number(x, one.table.unit) for x in (made.value, made.low, made.high))
    return value, f"{low} to {high}"


def _improvement(one: Complete, baseline: str, name: str) -> tuple[str, str]:
    if name == baseline:
        return ABSENT, ABSENT
    made = probability_of_improvement(one.runs[name], one.runs[baseline], one.falling, RESAMPLES)
    return f"{made.value:.2f}", f"{made.low:.2f} to {made.high:.2f}"


def subject(one: Complete) -> Iterator[str]:
    """Yield a sentence: metric, definition, datasets, repetitions and what varies."""
    counts = {len(values) for runs in one.runs.values() for values in runs.values()}
    n = "n = 1" if counts == {1} else f"n = {_range(counts)} repetitions, {one.varies} varies"
    yield (
        f"{one.table.metric} in {one.table.unit} ({'lower' if one.falling else 'higher'} is "
        f"better), metric definition {one.table.definition}, over {len(one.datasets)} datasets "
        f"({', '.join(one.datasets)}); {n}."
    )


def _measures(one: Complete, baseline: str | None, resampled: bool) -> Iterator[str]:
    yield "Mean rank: of the means over repetitions, 1 is best, ties share theirs."
    yield (
        "Interquartile mean: of all runs on all datasets without the lowest and the highest "
        "quarter."
    )
    if baseline in one.runs:
        yield (
            f"P(better than {baseline}): how likely a run beats one of {baseline} on one of these "
            "datasets, a tie counting half; not corrected."
        )
    elif baseline is not None:
        yield f"{baseline} is not complete, so nothing is compared with it."
    if not resampled:
        return
    seeds = " (head seed only)" if one.varies in FROZEN else ""
    yield (
        f"Intervals: 95 % percentiles of {RESAMPLES:,} resamples of the repetitions{seeds} within "
        "each dataset, too narrow for few repetitions; they say nothing of other datasets."
    )


def tests(one: Complete) -> Iterator[str]:
    """Yield sentences: Friedman's test, the critical difference, and what few datasets mean."""
    datasets, models = one.means.shape
    try:
        test = friedman(one.means)
    except RefusedError as reason:
        yield f"Friedman's test is refused: {reason}."
    else:
        f = f"{test.f:.2f}" if math.isfinite(test.f) else "infinite"
        yield (
            f"Friedman: chi-square {test.chi_square:.2f}, {models - 1} degrees of freedom, p "
            f"{probability(test.p_chi_square)}; Iman and Davenport: F({test.df_models}, "
            f"{test.df_error}) {f}, p {probability(test.p)}. Nemenyi's critical "
            f"difference of mean ranks at .05: {critical_difference(models, datasets):.2f}."
        )
    if datasets < FEW:
        yield f"{datasets} datasets are few: only large and steady differences can be told."


def _pairs(one: Complete, title: str, correction: str) -> PlainTable:
    models = len(one.means.columns)
    count = models * (models - 1) // 2
    if models > MOST:
        why = f"{models} backbones make {count:,} pairs; at most {MOST} are all tested and drawn"
        return PlainTable(title, (), (), f"Refused: {why}. `bench.py compare` tests two.")
    found = wilcoxon_pairs(one.means, correction)
    tested = int(found["p"].notna().sum())
    if not tested:
        notes = "; ".join(dict.fromkeys(found["note"]))
        return PlainTable(title, (), (), f"No pair is tested: {notes}.")
    unit = one.table.unit
    columns = (found[name].tolist() for name in found)
    rows = tuple(
        (
            f"{a} \N{MINUS SIGN} {b}",
            number(difference, unit, signed=True),
            _p(p),
            _p(corrected),
            note,
        )
        for a, b, difference, p, corrected, note in zip(*columns, strict=True)
    )
    caption = [
        *subject(one),
        "Difference: the Hodges-Lehmann estimate over datasets, or the mean difference where the "
        "test is refused. Wilcoxon's signed-rank test of the means over repetitions, exact, "
        f"two-sided; p corrected by {CORRECTED[correction]} over the family of {tested} tested "
        "pairs of this table.",
        *one.left,
        *_controls(one),
    ]
    heads = (PAIR, "difference", "p", "corrected p", "note")
    return PlainTable(title, heads, rows, " ".join(caption))


def _p(p: float) -> str:
    return probability(p).removeprefix("= ") if math.isfinite(p) else ABSENT


def _controls(one: Complete) -> Iterator[str]:
    controls = {row.backbone for row in one.table.rows if row.control and row.backbone in one.runs}
    if controls:
        names = ", ".join(sorted(controls))
        yield f"Random controls are one fixed draw of weights each: {names}."


def _range(counts: set[int]) -> str:
    return str(min(counts)) if len(counts) == 1 else f"{min(counts)} to {max(counts)}"

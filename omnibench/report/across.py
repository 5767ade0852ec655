"""What a task's primary metric says over several datasets, as tables."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import pandas as pd

from omnibench.report.complete import Complete, controls, subject
from omnibench.report.table import DASH, Table
from omnibench.report.words import (
    CORRECTED,
    bare_probability,
    counted,
    number,
    probability,
    ranged,
)
from omnibench.stats.across import Overall, aggregate_iqm, probability_of_improvement
from omnibench.stats.pair import FROZEN, HEAD_SEED
from omnibench.stats.ranks import critical_difference, friedman, ranks, wilcoxon_pairs
from omnibench.stats.result import ALPHA, RefusedError

FEW = 5  # datasets; below, hardly any difference of ranks can be told
MOST = 40  # backbones whose pairs are all tested: 780
RESAMPLES = 2_000
PAIR = "pair"  # over the first column of a table of pairs
RANK = "mean rank"  # over the second column of a table of ranks


def across_tables(
    blocks: Iterable[Complete], sums: Sequence[Overall], baseline: str | None, correction: str
) -> list[Table]:
    """Return for each task and adaptation: verdicts, ranks and aggregates, and all pairs.

    Where a statistic is refused its reason stands in the caption.

    Args:
        sums: pairs with the baseline on average over datasets.
        correction: of the p, as a suite names it.
    """
    return [
        replace(table, facets={"task": (block.results.task,), "adaptation": (block.adaptation,)})
        for block in blocks
        for table in _tables(block, sums, baseline, correction)
    ]


def _tables(
    block: Complete, sums: Sequence[Overall], baseline: str | None, correction: str
) -> Iterator[Table]:
    title = f"Across datasets: {block.title}"
    yield from _verdicts(block, sums, correction)
    try:
        places = ranks(block.means, block.falling).mean().sort_values(kind="stable")
    except RefusedError as reason:
        caption = " ".join([f"Refused: {reason}.", *block.left])
        yield Table.from_texts(title, (), (), caption)
        return
    yield _standings(block, title, places, baseline)
    yield _pairs(block, f"Pairs across datasets: {block.title}", correction)


def _verdicts(block: Complete, sums: Sequence[Overall], correction: str) -> Iterator[Table]:
    """Yield the table of mean differences from the baseline, where any is tested."""
    place = (block.results.task, block.adaptation, block.results.definition, block.results.metric)
    rows = [
        row
        for row in sums
        if (row.task, row.adaptation, *row.score) == place and math.isfinite(row.p)
    ]
    if not rows:
        return
    unit = block.results.unit
    texts = tuple(
        (
            row.backbone_a,
            str(row.datasets),
            number(row.mean_difference, unit, signed=True),
            f"{number(row.low, unit)} to {number(row.high, unit)}",
            bare_probability(row.p),
            bare_probability(row.p_corrected),
            row.verdict,
        )
        for row in rows
    )
    baseline = rows[0].backbone_b
    single = all(len(values) == 1 for runs in block.runs.values() for values in runs.values())
    most = max(row.looks for row in rows)
    looks = f", and for each of {counted(most, 'look')} while runs were added" if most else ""
    caption = (
        f"{block.results.metric} in {unit}: mean over datasets of the difference from {baseline}, "
        f"for new images{'' if single else ' and new runs'} on these datasets, which are fixed. p "
        "corrected by "
        f"{CORRECTED[correction]} over the {ranged((row.family for row in rows), 'backbone')} "
        f"compared with {baseline} with this adaptation{looks}."
    )
    heads = ("backbone", "datasets", "difference", "95 % interval", "p", "corrected p", "verdict")
    yield Table.from_texts(f"Differences over datasets: {block.title}", heads, texts, caption)


def _standings(block: Complete, title: str, places: pd.Series, baseline: str | None) -> Table:
    heads = ["backbone", RANK, "interquartile mean", "95 % interval"]
    columns = {"interquartile mean": partial(_interquartile_mean, block)}
    if baseline is not None and baseline in block.runs:
        heads += [f"P(better than {baseline})", "95 % interval of P"]
        what = f"probability of improvement over {baseline}"
        columns[what] = partial(_improvement, block, baseline)
    refused: dict[str, list[str]] = {}
    rows = []
    for name, place in places.items():
        row = [str(name), f"{place:.2f}"]
        for what, texts in columns.items():
            try:
                row += texts(str(name))
            except RefusedError as reason:
                refused.setdefault(f"{what}: {reason}", []).append(str(name))
                row += (DASH, DASH)
        rows.append(tuple(row))
    caption = [
        *subject(block),
        *_measures(block, baseline, any(row[2] != DASH for row in rows)),
        *tests(block),
        *(f"Refused for {', '.join(names)}: {why}." for why, names in refused.items()),
        *block.left,
        *controls(block),
    ]
    return Table.from_texts(title, tuple(heads), tuple(rows), " ".join(caption))


def _interquartile_mean(block: Complete, name: str) -> tuple[str, str]:
    made = aggregate_iqm(block.runs[name], RESAMPLES)
    value, low, high = (number(x, block.results.unit) for x in (made.value, made.low, made.high))
    return value, f"{low} to {high}"


def _improvement(block: Complete, baseline: str, name: str) -> tuple[str, str]:
    if name == baseline:
        return DASH, DASH
    runs = block.runs[name], block.runs[baseline]
    made = probability_of_improvement(*runs, block.falling, RESAMPLES)
    return f"{made.value:.2f}", f"{made.low:.2f} to {made.high:.2f}"


def _measures(block: Complete, baseline: str | None, resampled: bool) -> Iterator[str]:
    yield "Mean rank: of the means over repetitions, 1 is best, ties share theirs."
    yield (
        "Interquartile mean: of all runs on all datasets without the lowest and the highest "
        "quarter."
    )
    if baseline in block.runs:
        yield (
            f"P(better than {baseline}){f' ({HEAD_SEED})' if block.varies in FROZEN else ''}: how "
            f"likely a run beats one of {baseline} on the test images of one of these datasets, "
            "ties counting half; not corrected, and no verdict."
        )
    elif baseline is not None:
        yield f"{baseline} is not complete, so nothing is compared with it."
    if not resampled:
        return
    seeds = f" ({HEAD_SEED})" if block.varies in FROZEN else ""
    yield (
        f"Intervals: 95 % percentiles of {RESAMPLES:,} resamples of the repetitions{seeds} within "
        "each dataset, too narrow for few repetitions; they are for these test images."
    )


def tests(block: Complete) -> Iterator[str]:
    """Yield sentences: Friedman's test, the critical difference, and what few datasets mean."""
    datasets, models = block.means.shape
    try:
        test = friedman(block.means)
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


def _pairs(block: Complete, title: str, correction: str) -> Table:
    models = len(block.means.columns)
    count = models * (models - 1) // 2
    if models > MOST:
        why = f"{models} backbones make {count:,} pairs; at most {MOST} are all tested and drawn"
        return Table.from_texts(title, (), (), f"Refused: {why}. `bench.py compare` tests two.")
    pairs = wilcoxon_pairs(block.means, correction)
    tested = int(pairs["p"].notna().sum())
    if not tested:
        notes = "; ".join(dict.fromkeys(pairs["note"]))
        return Table.from_texts(title, (), (), f"No pair is tested: {notes}.")
    unit = block.results.unit
    columns = (pairs[name].tolist() for name in pairs)
    rows = tuple(
        (
            f"{a} \N{MINUS SIGN} {b}",
            number(difference, unit, signed=True),
            bare_probability(p) or DASH,
            bare_probability(corrected) or DASH,
            note,
        )
        for a, b, difference, p, corrected, note in zip(*columns, strict=True)
    )
    caption = [
        *subject(block),
        "Difference: the Hodges-Lehmann estimate over datasets, or the mean difference where the "
        "test is refused. Wilcoxon's signed-rank test of the means over repetitions, exact, "
        f"two-sided; p corrected by {CORRECTED[correction]} over the family of {tested} tested "
        "pairs of this table.",
        *_floor(len(block.datasets), tested, correction),
        *block.left,
        *controls(block),
    ]
    heads = (PAIR, "difference", "p", "corrected p", "note")
    return Table.from_texts(title, heads, rows, " ".join(caption))


def _floor(datasets: int, tested: int, correction: str) -> Iterator[str]:
    """Yield a sentence where no pair can reach p < .05, however far apart it is."""
    smallest = 0.5 ** (datasets - 1) * (tested if correction == "holm" else 1)
    if smallest >= ALPHA:
        yield (
            f"No pair can reach p < .05 here: with {datasets} datasets and {tested} pairs the "
            f"smallest corrected p possible is {bare_probability(min(smallest, 1.0))}."
        )

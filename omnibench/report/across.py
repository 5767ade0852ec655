"""What a task's first metric says over several datasets, as tables; what is complete enters."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import pandas as pd

from omnibench.report.results import ResultRow, Results
from omnibench.report.table import DASH, Table
from omnibench.report.words import CORRECTED, bare_probability, number, probability, span
from omnibench.stats.across import aggregate_iqm, probability_of_improvement
from omnibench.stats.pair import FROZEN
from omnibench.stats.ranks import critical_difference, friedman, ranks, wilcoxon_pairs
from omnibench.stats.result import RefusedError
from omnibench.task import makes_backbones

FEW = 5  # datasets; below, hardly any difference of ranks can be told
MOST = 40  # backbones whose pairs are all tested: 780
RESAMPLES = 2_000
PAIR = "pair"  # over the first column of a table of pairs

Runs = dict[tuple[str, str], dict[str, list[float]]]  # adaptation, backbone -> dataset -> values


@dataclass(frozen=True, eq=False)
class Complete:
    """The backbones that one adaptation was run with on all of several datasets.

    Attributes:
        results: of the metric.
        varies: what differs between repetitions.
        datasets: those on which some backbone has a mean.
        runs: backbone -> dataset -> values of its repetitions.
        left: what is left out, in sentences.
    """

    results: Results
    adaptation: str
    varies: str
    datasets: tuple[str, ...]
    runs: Mapping[str, Mapping[str, list[float]]]
    left: tuple[str, ...]

    @cached_property
    def means(self) -> pd.DataFrame:
        """Return the mean over repetitions, one row a dataset, one column a backbone."""
        means = {
            name: [sum(runs[dataset]) / len(runs[dataset]) for dataset in self.datasets]
            for name, runs in self.runs.items()
        }
        return pd.DataFrame(means, index=list(self.datasets))

    @property
    def falling(self) -> bool:
        """Return whether less is better."""
        return self.results.metric in self.results.lower_is_better

    @property
    def title(self) -> str:
        """Return task, metric and adaptation."""
        return f"{self.results.title}, {self.adaptation}"


def completed(tables: Iterable[Results], values: pd.DataFrame) -> Iterator[Complete]:
    """Yield what is complete of each task and adaptation that the suite runs on several datasets.

    What a task that makes backbones starts from is no rival of what it makes: it has none.

    Args:
        tables: of each task's first metric.
        values: the long table of `units.COLUMNS`.
    """
    for table in tables:
        if makes_backbones(table.task):
            continue
        runs = _runs(table, values)
        for adaptation in dict.fromkeys(row.adaptation for row in table.rows):
            rows = [row for row in table.rows if row.adaptation == adaptation]
            block = _complete(table, adaptation, rows, runs)
            if block is not None:
                yield block


def _runs(table: Results, values: pd.DataFrame) -> Runs:
    some = values[
        (values["task"] == table.task)
        & (values["definition"] == table.definition)
        & (values["metric"] == table.metric)
    ]
    runs: Runs = {}
    columns = (some[name] for name in ("adaptation", "backbone", "dataset", "value"))
    for adaptation, backbone, dataset, value in zip(*columns, strict=True):
        runs.setdefault((adaptation, backbone), {}).setdefault(dataset, []).append(value)
    return runs


def _complete(
    table: Results, adaptation: str, rows: list[ResultRow], runs: Runs
) -> Complete | None:
    states = {
        row.backbone: {
            column: cell.state for column, cell in zip(table.columns, row.cells, strict=True)
        }
        for row in rows
    }
    planned = [c for c in table.columns if any(s[c] != "unplanned" for s in states.values())]
    if len(planned) < 2:
        return None
    datasets = tuple(c for c in planned if any(s[c] == "done" for s in states.values()))
    left = []
    without = [name for name in planned if name not in datasets]
    if without:
        left.append(f"No backbone has a mean on {', '.join(without)}, which is left out.")
    lacking = {
        backbone: [name for name in datasets if columns[name] != "done"]
        for backbone, columns in states.items()
    }
    incomplete = "; ".join(f"{name} ({', '.join(some)})" for name, some in lacking.items() if some)
    if incomplete:
        left.append(f"Left out, for want of a mean on the datasets in brackets: {incomplete}.")
    entered = {name: runs[adaptation, name] for name, names in lacking.items() if not names}
    varies = next((row.varies for row in rows if row.varies), "nothing")
    return Complete(table, adaptation, varies, datasets, entered, tuple(left))


def across_tables(blocks: Iterable[Complete], baseline: str | None, correction: str) -> list[Table]:
    """Return a table of ranks and aggregates and one of all pairs, for each task and adaptation.

    Where a statistic is refused its reason stands in the caption.

    Args:
        correction: of the pairs' p, as a suite names it.
    """
    tables = []
    for block in blocks:
        title = f"Across datasets: {block.title}"
        try:
            places = ranks(block.means, block.falling).mean().sort_values(kind="stable")
        except RefusedError as reason:
            caption = " ".join([f"Refused: {reason}.", *block.left])
            tables.append(Table.from_texts(title, (), (), caption))
            continue
        tables.append(_standings(block, title, places, baseline))
        tables.append(_pairs(block, f"Pairs across datasets: {block.title}", correction))
    return tables


def _standings(block: Complete, title: str, places: pd.Series, baseline: str | None) -> Table:
    heads = ["backbone", "mean rank", "interquartile mean", "95 % interval"]
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
        *_controls(block),
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


def subject(block: Complete) -> Iterator[str]:
    """Yield a sentence: metric, definition, datasets, repetitions and what varies."""
    results = block.results
    counts = {len(values) for runs in block.runs.values() for values in runs.values()}
    n = "n = 1" if counts == {1} else f"n = {span(counts)} repetitions, {block.varies} varies"
    yield (
        f"{results.metric} in {results.unit} ({'lower' if block.falling else 'higher'} is better), "
        f"metric definition {results.definition}, over {len(block.datasets)} datasets "
        f"({', '.join(block.datasets)}); {n}."
    )


def _measures(block: Complete, baseline: str | None, resampled: bool) -> Iterator[str]:
    yield "Mean rank: of the means over repetitions, 1 is best, ties share theirs."
    yield (
        "Interquartile mean: of all runs on all datasets without the lowest and the highest "
        "quarter."
    )
    if baseline in block.runs:
        yield (
            f"P(better than {baseline}): how likely a run beats one of {baseline} on one of these "
            "datasets, a tie counting half; not corrected."
        )
    elif baseline is not None:
        yield f"{baseline} is not complete, so nothing is compared with it."
    if not resampled:
        return
    seeds = " (head seed only)" if block.varies in FROZEN else ""
    yield (
        f"Intervals: 95 % percentiles of {RESAMPLES:,} resamples of the repetitions{seeds} within "
        "each dataset, too narrow for few repetitions; they say nothing of other datasets."
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
        *block.left,
        *_controls(block),
    ]
    heads = (PAIR, "difference", "p", "corrected p", "note")
    return Table.from_texts(title, heads, rows, " ".join(caption))


def _controls(block: Complete) -> Iterator[str]:
    controls = {row.backbone for row in block.results.rows if row.control}.intersection(block.runs)
    if controls:
        names = ", ".join(sorted(controls))
        yield f"Random controls are one fixed draw of weights each: {names}."

"""What is complete of a task's primary metric over several datasets: backbones with all means."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from omnibench.report.results import ResultRow, Results
from omnibench.report.words import UNTRAINED, span
from omnibench.task import makes_backbones

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
    if not datasets:  # nothing of it was run yet
        return None
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


def controls(block: Complete) -> Iterator[str]:
    drawn = {row.backbone for row in block.results.rows if row.control}.intersection(block.runs)
    if drawn:
        names = ", ".join(sorted(drawn))
        yield f"{UNTRAINED}: {names}."

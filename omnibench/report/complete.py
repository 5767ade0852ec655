"""What of a task's first metric is complete over several datasets, and what is left out."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from omnibench.report.table import Row, Table
from omnibench.task import makes_backbones

Runs = dict[tuple[str, str], dict[str, list[float]]]  # adaptation, backbone -> dataset -> values


@dataclass(frozen=True, eq=False)
class Complete:
    """The backbones that one adaptation was run with on all of several datasets.

    Attributes:
        table: of the metric.
        varies: what differs between repetitions.
        datasets: those on which some backbone has a mean.
        runs: backbone -> dataset -> values of its repetitions.
        left: what is left out, in sentences.
    """

    table: Table
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
        """Whether less is better."""
        return self.table.metric in self.table.lower_is_better

    @property
    def title(self) -> str:
        """Return task, metric and adaptation."""
        return f"{self.table.title}, {self.adaptation}"


def completed(tables: Iterable[Table], values: pd.DataFrame) -> Iterator[Complete]:
    """Yield one for each task and adaptation that the suite runs on several datasets.

    What a pretraining starts from is no rival of what it makes, so that task has none.

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
            found = _complete(table, adaptation, rows, runs)
            if found is not None:
                yield found


def _runs(table: Table, values: pd.DataFrame) -> Runs:
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


def _complete(table: Table, adaptation: str, rows: list[Row], runs: Runs) -> Complete | None:
    states = {
        row.backbone: {
            column: cell.state for column, cell in zip(table.columns, row.cells, strict=True)
        }
        for row in rows
    }
    asked = [c for c in table.columns if any(s[c] != "unplanned" for s in states.values())]
    if len(asked) < 2:
        return None
    datasets = tuple(c for c in asked if any(s[c] == "done" for s in states.values()))
    left = []
    without = [name for name in asked if name not in datasets]
    if without:
        left.append(f"No backbone has a mean on {', '.join(without)}, which is left out.")
    lacking = {
        backbone: [name for name in datasets if found[name] != "done"]
        for backbone, found in states.items()
    }
    told = [f"{backbone} ({', '.join(names)})" for backbone, names in lacking.items() if names]
    if told:
        left.append(f"Left out, for want of a mean on the datasets in brackets: {'; '.join(told)}.")
    kept = {name: runs[adaptation, name] for name, names in lacking.items() if not names}
    varies = next((row.varies for row in rows if row.varies), "nothing")
    return Complete(table, adaptation, varies, datasets, kept, tuple(left))

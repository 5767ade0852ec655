"""What a recipe's axes show: whether the ranking depends on one, and which of them do nothing."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from omnibench.report.table import Cell, Column, Table
from omnibench.report.words import counted, listed
from omnibench.stats.rankings import Agreement, agreement

if TYPE_CHECKING:
    from omnibench.report.study import Study

MOST_PAIRS = 4  # that are named in a cell
COLUMNS = (
    Column("one setting"),
    Column("another"),
    Column("backbones", "number", right=True),
    Column("Kendall's tau", "number", right=True),
    Column("best of the one"),
    Column("best of the other"),
    Column("pairs that switch"),
)


@dataclass
class Axis:
    """The results of one adaptation on one dataset under each value of one axis.

    Attributes:
        name: the field of the recipe.
        adaptation: with what else is varied, but for this axis.
        records: value -> backbone -> repetition -> the record's metrics.
    """

    task: str
    dataset: str
    adaptation: str
    name: str
    records: dict[Any, dict[str, dict[int, Mapping[str, Any]]]] = field(default_factory=dict)

    @property
    def pairs(self) -> Iterator[tuple[Any, Any]]:
        """Yield each two values, in the order of the suite."""
        return itertools.combinations(self.records, 2)

    def means(self, value: Any, metric: str) -> dict[str, float]:
        """Return backbone -> mean of a metric; without those that it is undefined of."""
        means = {}
        for backbone, repetitions in self.records[value].items():
            values = [metrics.get(metric) for metrics in repetitions.values()]
            numbers = [number for number in values if number is not None]
            if numbers and len(numbers) == len(values):
                means[backbone] = sum(numbers) / len(numbers)
        return means

    def equal(self, one: Any, other: Any) -> list[str]:
        """Return the backbones whose every number is the same in every bit under both values."""
        first, second = self.records[one], self.records[other]
        return [name for name in first if name in second and first[name] == second[name]]


def axes(study: "Study") -> list[Axis]:
    """Return the axes of a suite's recipes of which at least two values have results."""
    known: dict[tuple[str, ...], Axis] = {}
    for state, record in study.finished:
        unit = state.cell.unit
        for name in unit.axes:
            parts = [p for p in unit.short.split("@") if not p.startswith(f"{name}-")]
            place = (unit.task, unit.dataset.id, "@".join(parts), name)
            axis = known.setdefault(place, Axis(*place))
            by_backbone = axis.records.setdefault(unit.recipe[name], {})
            by_backbone.setdefault(unit.backbone.id, {})[state.cell.repetition] = record["metrics"]
    return [axis for axis in known.values() if len(axis.records) > 1]


def setting_tables(study: "Study") -> Iterator[Table]:
    """Yield a table of each axis: how alike its values rank the backbones."""
    for axis in axes(study):
        metric = study.rules.primary.get(axis.task)
        if metric is None:
            continue
        down = metric in study.rules.lower_is_better
        rows = []
        for one, other in axis.pairs:
            first, second = axis.means(one, metric), axis.means(other, metric)
            if set(first) & set(second):
                rows.append(_row(study, one, other, agreement(first, second, down=down)))
        if rows:
            caption = (
                f"How alike the values of the recipe's {axis.name} rank the backbones by their "
                f"mean {metric}, {axis.adaptation} on {axis.dataset}: Kendall's tau is 1 where the "
                "order is the same and -1 where it is turned round. Means alone are compared: a "
                "pair may switch by chance, which the comparisons under each setting tell."
            )
            title = f"Does the ranking depend on {axis.name}? {axis.adaptation}: {axis.dataset}"
            caption = " ".join((caption, *idle(study, axis)))
            table = Table.from_cells(title, COLUMNS, rows, caption)
            facets = {"task": (axis.task,), "dataset": (axis.dataset,)}
            yield replace(table, labels=2, facets=facets)


def idle(study: "Study", axis: Axis) -> Iterator[str]:
    """Yield a sentence for each two values of an axis under which backbones have equal numbers."""
    for one, other in axis.pairs:
        if names := [study.named(name) for name in axis.equal(one, other)]:
            yield (
                f"{axis.dataset}, {axis.adaptation}: {axis.name} {one} and {other} give the same "
                f"numbers in every bit for {listed(names)}, so that this setting does nothing "
                "there."
            )


def _row(study: "Study", one: Any, other: Any, alike: Agreement) -> tuple[Cell, ...]:
    switched = [f"{study.named(a)} - {study.named(b)}" for a, b in alike.switched]
    if (rest := len(switched) - MOST_PAIRS) > 0:
        switched = [*switched[:MOST_PAIRS], counted(rest, "other")]
    tau = alike.tau
    return (
        Cell(str(one)),
        Cell(str(other)),
        Cell.from_number(alike.backbones, str(alike.backbones)),
        Cell.from_number(tau, "" if tau is None else f"{tau:.2f}"),
        *(Cell(study.named(name)) for name in alike.best),
        Cell(", ".join(switched) or "none"),
    )

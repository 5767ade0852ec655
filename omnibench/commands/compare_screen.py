"""The one screen of `compare`: a row a comparison, a line a metric, the conclusion."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omnibench.commands.concluding import conclusion
from omnibench.report.comparisons import metric_names
from omnibench.report.words import number
from omnibench.stats.details import Detail
from omnibench.stats.result import Answer, RefusedError
from omnibench.stats.units import undecoded
from omnibench.task import POINTS
from omnibench.terminal import columns

Rows = list[dict[str, Any]]

_EQUIVALENT = {True: "shown", False: "not shown", None: "-"}
_ANEW = "new images and runs"


@dataclass(frozen=True)
class Screen:
    """What is printed of backbones a and b.

    Attributes:
        rows, sums: as in the JSON.
        details, anew: of each row; `anew` the hierarchical bootstrap's.
        words: of each sum.
        units: "definition/name" -> what the values of a metric are in.
        margin: of equivalence, in points; None where it was not asked for.
    """

    a: str
    b: str
    rows: Rows
    sums: Rows
    details: Sequence[Detail]
    anew: Sequence[Answer | RefusedError]
    words: Sequence[str]
    units: Mapping[str, str]
    margin: float | None

    def lines(self) -> Iterator[str]:
        """Yield the screen from top to bottom."""
        names = metric_names((row["definition"], row["metric"]) for row in self.rows)
        labels = [names[row["definition"], row["metric"]] for row in self.rows]
        yield columns([self._row(k, label) for k, label in enumerate(labels)], self._header())
        if self._any_anew:
            yield (
                f"'{_ANEW}': 95 % interval of the difference by the hierarchical bootstrap over "
                "cases and repetitions, not corrected"
            )
        for row, label in zip(self.rows, labels, strict=True):
            if row["test"] == "none":
                yield f"not tested: {row['dataset']}, {row['adaptation']}, {label}: {row['note']}"
        for row, words in zip(self.sums, self.words, strict=True):
            unit = self._unit(row)
            yield (
                f"{row['adaptation']}, {names[row['definition'], row['metric']]}: {self.a} is "
                f"ahead on {row['wins']} and behind on {row['losses']} of {row['datasets']} "
                f"datasets, {_number(row['mean_difference'], unit)} {unit} on average; {words}"
            )
        yield conclusion(self.a, self.b, self.details, self.margin)

    @property
    def _any_anew(self) -> bool:
        return any(isinstance(one, Answer) for one in self.anew)

    def _header(self) -> tuple[str, ...]:
        first = ("task", "dataset", "adaptation", "metric", "n", self.a, self.b, "difference")
        further = ("low", "high", "unit", "test", "p", "p (Holm)", "Hedges g", "P(better)")
        anew = [_ANEW] * self._any_anew
        return (*first, *further, *anew, *["equivalent"] * (self.margin is not None))

    def _row(self, index: int, label: str) -> tuple[str, ...]:
        row, detail, anew = self.rows[index], self.details[index], self.anew[index]
        unit = self._unit(row)
        values = ("mean_a", "mean_b", "difference", "low", "high")
        return (
            *(row["task"], row["dataset"], row["adaptation"], label),
            f"{row['n_a']}/{row['n_b']}",
            *(_number(row[key], unit) for key in values),
            *(unit, row["test"], _p(row["p"]), _p(row["p_corrected"]), _effect(detail)),
            "-" if detail.chance is None else f"{detail.chance:.2f}",
            *[_interval(anew, unit)] * self._any_anew,
            *[_EQUIVALENT[detail.equivalent]] * (self.margin is not None),
        )

    def _unit(self, row: Mapping[str, Any]) -> str:
        return self.units.get(undecoded((row["definition"], row["metric"])), POINTS)


def _number(value: float | None, unit: str) -> str:
    return "-" if value is None else number(value, unit)


def _interval(found: Answer | RefusedError, unit: str) -> str:
    if isinstance(found, RefusedError):
        return "-"
    return f"[{number(found.low, unit)}, {number(found.high, unit)}]"


def _effect(detail: Detail) -> str:
    g = detail.effect
    return "-" if g is None else f"{g.g:.2f} [{g.low:.2f}, {g.high:.2f}]"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if value >= 0.0001 else "<0.0001"

"""Describe one published number with all that its table says of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from omnibench.audit.grim import Printed
from omnibench.audit.uncertainty import RUNS, Range, Uncertainty, uncertainty
from omnibench.stats.t_tests import Summary


@dataclass(frozen=True)
class Row:
    """One published number, as printed.

    Attributes:
        mean, std: the digits as they stand in the table; std "" where none is printed.
        n: repetitions claimed; None where nothing is.
        role: "own" of the study, "rerun" by it, "cited" from elsewhere.
        definition: id of the metric's formula and, of generated texts, how they were decoded.
        members: tables that an aggregate is made of; () of any other row.
        task, dataset_id, backbone_id: what they are called here; "" where they have no name.
        citation: of a cited number, as the study gives it.
        source, line: the file and the line it stands in.
        unit_given: whether the table says the unit, or it was taken for one.
        se, interval, level, over: a standard error, the bounds of an interval with its level, and
            what they are over, for `uncertainty`.
    """

    study: str
    table: str
    dataset: str
    model: str
    role: str
    metric: str
    definition: str
    adaptation: str
    unit: str
    primary: bool
    higher_is_better: bool
    mean: str
    std: str
    n: int | None
    test_images: int | None
    members: tuple[str, ...]
    task: str
    dataset_id: str
    backbone_id: str
    citation: str
    source: Path
    line: int = 0
    unit_given: bool = True
    se: str = ""
    interval: tuple[str, str] = ("", "")
    level: float = 0.95
    over: str = ""

    @cached_property
    def value(self) -> float:
        """Return the mean in its own unit."""
        return float(self.mean)

    @property
    def place(self) -> tuple[str, ...]:
        """Return what tells this number from any other."""
        number = (self.table, self.dataset, self.model, self.adaptation)
        return (self.study, *number, self.metric, self.definition, self.role, self.citation)

    @property
    def deviation(self) -> float | None:
        """Return the standard deviation in the mean's unit; None where none is printed."""
        return float(self.std) if self.std else None

    @cached_property
    def uncertainty(self) -> Uncertainty | None:
        """Return what is printed beside the mean; None where nothing is."""
        return uncertainty(self.std, self.se, self.interval, self.level, self.over)

    @property
    def over_runs(self) -> Uncertainty | None:
        """Return what is printed beside the mean if it is over runs."""
        return self.uncertainty if self.uncertainty and self.uncertainty.over == RUNS else None

    @property
    def mean_range(self) -> Range:
        """Return the mean with the least and the largest that print so."""
        return Range.from_text(self.mean)

    @property
    def merit(self) -> float:
        """Return the mean, signed so that more is better."""
        return self.value if self.higher_is_better else -self.value

    def summary(self, n: int | None) -> Summary:
        """Return what a test takes, with n repetitions."""
        known = self.over_runs
        std = known.std(n).value if known and n is not None and n > 1 else self.deviation
        return Summary(self.value, std, n, self.definition)

    @property
    def is_accuracy(self) -> bool:
        """Tell whether the number is k / test_images, so that GRIM applies."""
        return (
            self.metric.lower() == "accuracy"
            and self.test_images is not None
            and self.unit in ("percent", "fraction")
            and not self.members
        )

    def printed(self, text: str) -> Printed:
        """Return a mean or std of this row as a fraction, with its rounding."""
        return Printed.from_text(text, percent=self.unit == "percent")


def in_order(texts: Iterable[str]) -> list[str]:
    """Return names once each, as they first come."""
    return list(dict.fromkeys(texts))

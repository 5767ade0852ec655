"""Everything that a report's page and its figures are made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pandas as pd

from omnibench.cards import BackboneCard, Card
from omnibench.report.across import across_tables
from omnibench.report.answers import Answer
from omnibench.report.beyond import Beyond
from omnibench.report.calibration import Calibrated, calibrated, calibration_table
from omnibench.report.columns import RowFacts
from omnibench.report.complete import Complete, completed
from omnibench.report.contests import contests
from omnibench.report.convergence import Converging
from omnibench.report.doubts import doubts, lacking, made
from omnibench.report.figures.looks import Looks
from omnibench.report.label_efficiency import Budgeted, answers_of, budgeted
from omnibench.report.latent_report import Latent
from omnibench.report.layout import laid_out
from omnibench.report.names import Names
from omnibench.report.operating_points import operating_table
from omnibench.report.result_tables import Place, result_table
from omnibench.report.results import Results
from omnibench.report.selective import selective_table
from omnibench.report.stored_units import StoredUnits, stored_units, with_logits
from omnibench.report.subgroup_tables import subgroup_tables
from omnibench.report.subgroups import Subgrouped, subgrouped
from omnibench.report.table import Table
from omnibench.report.truth import Truths, truths
from omnibench.report.words import beyond_points
from omnibench.states import CellState
from omnibench.stats.across import Overall, overall
from omnibench.stats.cases import Stored
from omnibench.stats.compare import Rules
from omnibench.stats.pair import Comparison
from omnibench.stats.units import Score, undecoded
from omnibench.store import RecordStore
from omnibench.subgrouping import Subgrouping
from omnibench.suite import Layout
from omnibench.task import POINTS, makes_backbones
from omnibench.unregistered import Unregistered


@dataclass(frozen=True)
class Study:
    """A suite, what its records say, and what the statistics made of them.

    Attributes:
        correction: as the suite names it.
        states: of every cell that is shown: of all, or of those that filters leave.
        values: the long table of `units.COLUMNS`.
        comparisons: of the printed metrics with the baseline, where the other is shown.
        tested: the same of the whole suite, whatever is shown; None where all is.
        filters: what narrows the report, as a command is given it; "" for nothing.
        chosen: the printed results, one for each definition (with its decoding) and metric.
        shown: the same as they are printed, decodings beside each other.
        every: the results of every metric there is, as the CSV holds them.
        published: results of published studies in their own shape, one's own beside them.
        predictions: digest of a record -> what it stored.
        reproduction: each published number that one's own stands beside, compared.
        rules: by which they are judged.
        margin: declared for equivalence, in points of the primary metric.
        monitored: (task, dataset, adaptation) -> how far its repetitions in rounds are, in words.
        converging: the courses of the trainings.
        unregistered: backbones whose records lie beside these and that nothing registers now.
        target_share, target_of: up to which labels are counted, as `suite.TargetSection` has it.
        prevalence: dataset -> that at which predictive values are shown.
        subgroups: by which columns models are compared.
        decision_curves: first and last threshold of what is drawn; None where none is.
        backbones: the suite's, also those that no cell is of.
        layout: of the printed tables; None for what reads best.
    """

    name: str
    baseline: str | None
    correction: str
    states: Sequence[CellState]
    store: RecordStore
    values: pd.DataFrame
    comparisons: Sequence[Comparison]
    rules: Rules
    chosen: Sequence[Results]
    shown: Sequence[Results]
    every: Sequence[Results]
    predictions: Callable[[str], Stored]
    tested: Sequence[Comparison] | None = None
    filters: str = ""
    latent: Latent = field(default_factory=Latent)
    published: Sequence[Results] = ()
    reproduction: Sequence[Table] = ()
    margin: float | None = None
    monitored: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    unregistered: Sequence[Unregistered] = ()
    decision_curves: tuple[float, float] | None = None
    target_share: float = 0.95
    target_of: str = "baseline"
    prevalence: Mapping[str, float] = field(default_factory=dict)
    subgroups: Sequence[Subgrouping] = ()
    backbones: Sequence[BackboneCard] = ()
    layout: Layout | None = None
    converging: Sequence[Converging] = ()

    @cached_property
    def finished(self) -> list[tuple[CellState, Mapping[str, Any]]]:
        """Return every done cell and its record, in the suite's order."""
        return [
            (state, state.record)
            for state in self.states
            if state.state == "done" and state.record is not None
        ]

    @cached_property
    def looks(self) -> Looks:
        """Return how each backbone looks in figures."""
        return Looks(state.cell.unit.backbone.id for state in self.states)

    @property
    def primary(self) -> dict[str, Results]:
        """Return the results of each task's primary metric, of texts under the last decoding."""
        return {
            results.task: results
            for results in self.chosen
            if self.rules.primary.get(results.task)
            == undecoded((results.definition, results.metric))
        }

    @property
    def units(self) -> dict[Score, str]:
        """Return what the values of each printed metric are in, whichever the decoding."""
        return {(r.definition, r.metric): r.unit for r in self.chosen}

    def unit_of(self, score: Score) -> str:
        """Return what the values of a metric are in."""
        return self.units.get(score, POINTS)

    @property
    def beyond_margin(self) -> list[str]:
        """Return a sentence for each primary metric that the margin of equivalence is not for."""
        if self.margin is None:
            return []
        return beyond_points({r.metric: r.unit for r in self.primary.values()})

    @property
    def cards(self) -> list[Card]:
        """Return the cards of the backbones and datasets, each once."""
        units = [state.cell.unit for state in self.states]
        backbones = {card.id: card for card in (*self.backbones, *(u.backbone for u in units))}
        return [*backbones.values(), *{unit.dataset.id: unit.dataset for unit in units}.values()]

    @cached_property
    def names(self) -> Names:
        """Return what the suite's backbones and datasets are called, and how they are cited."""
        return Names.from_cards(self.cards)

    def named(self, backbone: str) -> str:
        """Return what a backbone is called where people read of it."""
        return self.names.backbone(backbone)

    @property
    def made(self) -> dict[tuple[str, str, str, str], str]:
        """Return task, dataset, start and adaptation -> the id of the backbone that these made."""
        names = {
            card.source_name: card.id for card in self.backbones if card.source_kind == "record"
        }
        made: dict[tuple[str, str, str, str], str] = {}
        for state in self.states:
            unit = state.cell.unit
            if makes_backbones(unit.task):
                place = (unit.task, unit.dataset.id, unit.backbone.id, unit.short)
                digest = state.cell.digest
                made[place] = names.get(digest, f"pretrain-{digest[:8]}")
        return made

    @cached_property
    def truths(self) -> Truths:
        """Return what the test cases of each task and dataset tell without any model."""
        return truths(self.finished, self.predictions)

    @cached_property
    def answers(self) -> list[Answer]:
        """Return what the records say of each task, in the order of the tables."""
        primary = self.primary
        every = dict.fromkeys((*primary, *(state.cell.unit.task for state in self.states)))
        return [
            Answer(
                task,
                list(contests(self, primary[task])) if task in primary else (),
                list(made(self, task)),
                [t for b in self.budgeted if b.task == task for t in answers_of(self, b)],
                list(lacking(self, task)),
                list(doubts(self, task)),
            )
            for task in every
        ]

    @cached_property
    def tables(self) -> list[Table]:
        """Return the printed results as tables, published ones last."""
        facts: dict[Place, RowFacts] = {}
        for state, record in self.finished:
            unit = state.cell.unit
            place = (unit.task, unit.backbone.id, unit.short)
            before = facts[place].records if place in facts else ()
            facts[place] = RowFacts(unit.task, unit.backbone, unit.short, (*before, record))
        tables = (*laid_out(self.shown, self.layout, self.made), *self.published)
        return [result_table(results, facts, self.names, self.truths) for results in tables]

    @cached_property
    def complete(self) -> list[Complete]:
        """Return what of each task's first metric is complete over several datasets.

        Nothing where filters narrow the report: ranks and pairs would be of other families.
        """
        return [] if self.filters else list(completed(self.primary.values(), self.values))

    @cached_property
    def across(self) -> list[Table]:
        """Return what is said over several datasets; made once, as its bootstrap takes a while."""
        names = self.names
        primary = map(names.results, self.primary.values())
        sums = [
            replace(
                row,
                backbone_a=names.backbone(row.backbone_a),
                backbone_b=names.backbone(row.backbone_b),
            )
            for row in self.overall
        ]
        baseline = None if self.baseline is None else names.backbone(self.baseline)
        complete = completed(primary, names.values(self.values))
        return across_tables(complete, sums, baseline, self.correction)

    @cached_property
    def overall(self) -> list[Overall]:
        """Return each pair on average over all datasets of the suite, in the primary metrics."""
        tested = self.comparisons if self.tested is None else self.tested
        shown = {(c.task, c.adaptation, c.backbone_a) for c in self.comparisons}
        return [
            row
            for row in overall((c for c in tested if c.primary), self.rules)
            if (row.task, row.adaptation, row.backbone_a) in shown
        ]

    @property
    def narrowing(self) -> list[str]:
        """Return what must be said first of a report that filters narrow."""
        if not self.filters:
            return []
        return [
            f"Filtered: {self.filters}. Means are of what is shown; p and verdicts against the "
            f"baseline and the sets of the best are those of the whole suite {self.name}. What is "
            "said over several datasets stands in its unfiltered report."
        ]

    @cached_property
    def stored(self) -> list[StoredUnits]:
        """Return the finished models of each task and dataset."""
        return list(stored_units(self.finished, self.predictions))

    @cached_property
    def logits(self) -> list[StoredUnits]:
        """Return the tasks and datasets whose models stored logits."""
        return list(with_logits(self.stored))

    @cached_property
    def beyond(self) -> Beyond:
        """Return what is known of test images beyond the datasets' own."""
        return Beyond.from_study(self)

    @cached_property
    def calibrated(self) -> list[Calibrated]:
        """Return the calibration of every model that stored logits, by dataset."""
        return [dataset for units in self.logits if (dataset := calibrated(units)) is not None]

    @property
    def calibration_tables(self) -> list[Table]:
        """Return the calibration of each dataset's classifiers as a table."""
        return [self.names.table(calibration_table(dataset)) for dataset in self.calibrated]

    @cached_property
    def budgeted(self) -> list[Budgeted]:
        """Return what the curves over label budgets say of how many labels each model needs."""
        return list(budgeted(self))

    @cached_property
    def selective_tables(self) -> list[Table]:
        """Return what rejecting uncertain cases leaves of each dataset's errors, as a table."""
        tables = (selective_table(units, self.baseline) for units in self.logits)
        return [self.names.table(table) for table in tables if table is not None]

    @cached_property
    def operating_tables(self) -> list[Table]:
        """Return the operating points of each dataset whose prevalence is stated, as a table."""
        chosen = [units for units in self.logits if units.dataset.id in self.prevalence]
        tables = (operating_table(units, self.prevalence[units.dataset.id]) for units in chosen)
        return list(map(self.names.table, tables))

    @cached_property
    def subgrouped(self) -> tuple[list[Subgrouped], list[str]]:
        """Return every printed metric by every column, and a sentence for each that is lacking."""
        if not self.subgroups:
            return [], []
        stored = [units for units in self.stored if not makes_backbones(units.task)]
        return subgrouped(stored, self.subgroups, self.chosen, self.baseline)

    @cached_property
    def subgroup_tables(self) -> list[Table]:
        """Return the primary metric of each dataset by each column."""
        tables, lacking = self.subgrouped
        primary = self.primary
        chosen = [t for t in tables if t.results is primary.get(t.results.task)]
        return list(map(self.names.table, subgroup_tables(chosen, lacking)))

"""From a suite's records to the study that its report shows."""

from collections.abc import Collection, Sequence
from typing import Any

import pandas as pd

from omnibench.catalogue import tasks
from omnibench.contamination import seen
from omnibench.frames import (
    mixed_precisions,
    predictions_of,
    rules_of,
    units_by_metric,
    values_of,
)
from omnibench.report.build import (
    Plan,
    Remarks,
    Scales,
    Verdicts,
    build_results,
    gather_decodings,
)
from omnibench.report.convergence import converging
from omnibench.report.published import published_results
from omnibench.report.reproduction import reproduction_tables
from omnibench.report.results import Results
from omnibench.report.study import Study
from omnibench.scoring import reported_of
from omnibench.states import CellState
from omnibench.stats.units import Score, beside_none, undecoded
from omnibench.store import RecordStore
from omnibench.suite import Suite
from omnibench.task import makes_backbones
from omnibench.verdicts import tests_of


def gather(
    suite: Suite,
    states: Sequence[CellState],
    store: RecordStore,
    shown: Collection[str] | None = None,
) -> Study:
    """Return what the records of a suite say, tested and in tables.

    Args:
        states: of every cell that the suite asks for.
        shown: digests of the cells that are in the tables; None for all. Every test is over all
            cells all the same, so that its family and its p are those of the suite.

    Raises:
        StoreError: two weights under one backbone id, or two records of one repetition.
    """
    records = [(store.path(state.cell), state.record) for state in states if state.record]
    values = values_of(records, {card.id: card for card in suite.backbones})
    predictions = predictions_of(records)
    report = suite.report
    rules = rules_of(values, report.correction, report.equivalence_margin, looks=suite.looks)
    tested = tests_of(suite, states, values, predictions, rules, ranked=_printed(values))
    if shown is not None:
        states = [state for state in states if state.cell.digest in shown]
        values = values[values["digest"].isin(shown)]
    places = {_place(state) for state in states}
    every = build_results(
        values,
        Verdicts(tested.comparisons, report.baseline, tested.standings, report.correction),
        Plan(_expected(states), [card.id for card in suite.backbones]),
        Scales(units_by_metric(values), rules.lower_is_better, rules.undirected),
        Remarks(
            notes={card.id: card.note for card in suite.datasets.values() if card.note},
            seen={
                (backbone.id, dataset.id): shared
                for backbone in suite.backbones
                for dataset in suite.datasets.values()
                if (shared := seen(backbone, dataset))
            },
            mixed=mixed_precisions(record for _, record in records),
        ),
    )
    chosen = _chosen(every)
    keys = {(results.definition, results.metric) for results in chosen}
    return Study(
        name=suite.name,
        baseline=report.baseline,
        correction=report.correction,
        states=states,
        store=store,
        values=values,
        comparisons=[
            c for c in tested.comparisons if c.score in keys and (*c.place, c.backbone_a) in places
        ],
        tested=[c for c in tested.comparisons if c.score in keys],
        rules=rules,
        chosen=chosen,
        shown=gather_decodings(chosen),
        every=gather_decodings(every),
        published=[
            table
            for study in dict.fromkeys(report.published)
            for table in published_results(study, every)
        ],
        reproduction=[
            table
            for study in dict.fromkeys(report.published)
            for table in reproduction_tables(study, every, states)
        ],
        predictions=predictions,
        margin=report.equivalence_margin,
        monitored=suite.monitored,
        decision_curves=report.decision_curves,
        prevalence=report.prevalence,
        target_share=report.target.share,
        target_of=report.target.of,
        subgroups=report.subgroups,
        backbones=suite.backbones,
        layout=report.layout,
        converging=converging(states, store, report.baseline),
    )


def _place(state: CellState) -> tuple[str, str, str, str]:
    unit = state.cell.unit
    return unit.task, unit.dataset.id, unit.short, unit.backbone.id


def _printed(values: pd.DataFrame) -> set[Score]:
    """Return the scores that some task prints, of the test sets themselves."""
    reported = {key for name in tasks for key in reported_of(name)}
    scores = set(zip(values["definition"], values["metric"], strict=True))
    return {score for score in beside_none(scores) if undecoded(score) in reported}


def _expected(states: Sequence[CellState]) -> pd.DataFrame:
    rows: list[dict[str, Any]] = [
        {**state.as_dict(), "decodings": state.cell.unit.view_names} for state in states
    ]
    return pd.DataFrame(rows)


def _chosen(every: Sequence[Results]) -> list[Results]:
    """Return the results that are printed, each task's in its own order; the CSV holds all.

    Tasks that make backbones for the others come last. Views beside a test set stand in tables of
    their own.
    """
    shown = set(beside_none((r.definition, r.metric) for r in every))
    return [
        results
        for task in sorted(dict.fromkeys(r.task for r in every), key=makes_backbones)
        for key in reported_of(task)
        for results in every
        if (results.task, undecoded((results.definition, results.metric))) == (task, key)
        and (results.definition, results.metric) in shown
    ]

"""Who has the best mean of each task, dataset and adaptation, by how much, and if that is decided.

No test is made here: differences are those of `stats.compare` and `stats.across`, the leader's
claim to be the best is the confidence set of `stats.best`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from omnibench.report.build import rounded_mean
from omnibench.report.complete import Complete
from omnibench.report.leads import Contest, Lead
from omnibench.report.results import Result, ResultRow, Results
from omnibench.report.truth import Truth
from omnibench.stats.across import Overall, overall
from omnibench.stats.compare import compare_pairs
from omnibench.stats.pair import Comparison, Verdict
from omnibench.stats.units import undecoded
from omnibench.task import makes_backbones

if TYPE_CHECKING:
    from omnibench.report.study import Study

Entry = tuple[ResultRow, Result]


def contests(study: "Study", results: Results) -> Iterator[Contest]:
    """Yield the contests of a task's primary metric: those over several datasets, then each.

    A task that makes backbones has none: what it starts from is no rival of what it makes.
    """
    if makes_backbones(results.task):
        return
    duels = Duels(study, results)
    for block in study.complete:
        if block.results is results and len(block.datasets) > 1 and block.runs:
            yield _over_datasets(study, block, duels)
    for at, dataset in enumerate(results.columns):
        for adaptation in dict.fromkeys(row.adaptation for row in results.rows):
            entries = [
                (row, row.cells[at])
                for row in results.rows
                if row.adaptation == adaptation and row.cells[at].state == "done"
            ]
            if entries:
                yield _contest(study, results, dataset, adaptation, entries, duels)


class Duels:
    """Compares two backbones in a task's primary metric as `compare` does, on each dataset."""

    def __init__(self, study: "Study", results: Results) -> None:
        self._study, self._score = study, (results.definition, results.metric)
        values = study.values
        chosen = (
            (values["task"] == results.task)
            & (values["definition"] == results.definition)
            & (values["metric"] == results.metric)
        )
        groups = values[chosen].groupby(["dataset", "adaptation"], sort=False)
        self._values: dict[object, pd.DataFrame] = dict(iter(groups))
        self._known = {
            (c.dataset, c.adaptation, c.backbone_a, c.backbone_b): c
            for c in study.comparisons
            if (c.task, *c.score) == (results.task, *self._score)
        }

    def compare(self, dataset: str, adaptation: str, a: str, b: str) -> Comparison:
        """Return the comparison of a with b: the suite's where it is one, else of this pair."""
        place = (dataset, adaptation)
        if (known := self._known.get((*place, a, b))) is not None:
            return known
        if (known := self._known.get((*place, b, a))) is not None:
            return known.reversed
        values = self._values[place]
        both = values[values["backbone"].isin((a, b))]
        study = self._study
        return compare_pairs(both, study.predictions, [(a, b)], study.rules, [self._score])[0]


def _contest(
    study: "Study",
    results: Results,
    dataset: str,
    adaptation: str,
    entries: Sequence[Entry],
    duels: Duels,
) -> Contest:
    """Return the contest of one dataset.

    Args:
        entries: what is done, at least one. The leader lacks no repetition, unless all do.
    """
    whole = [entry for entry in entries if not entry[1].partial] or entries
    falling = results.metric in results.lower_is_better
    order = _ordered({row.backbone: cell.mean for row, cell in whole}, falling)
    cells = {row.backbone: cell for row, cell in entries}
    leader, cell = order[0], cells[order[0]]
    second = baseline = None
    if len(order) > 1:
        row = duels.compare(dataset, adaptation, leader, order[1])
        lead = _lead(study, row, falling)
        why = lead.note or ("repetitions are missing" if _is_incomplete(cell) else "")
        second = replace(lead, verdict=_verdict(row, leader, cells), note=why)
    if study.baseline in order[1:]:
        row = duels.compare(dataset, adaptation, leader, study.baseline)
        baseline = _lead(study, row, falling)
    truth = study.truths.get((results.task, dataset), Truth())
    return Contest(
        results.task,
        (dataset,),
        adaptation,
        results.metric,
        results.unit,
        study.named(leader),
        cell.mean,
        cell.std,
        len(entries),
        second,
        baseline,
        tuple(map(study.named, _tied(leader, cells))),
        tuple(
            (study.named(row.backbone), cell.mean)
            for row, cell in entries
            if row.backbone not in order
        ),
        truth.chances.get(undecoded((results.definition, results.metric))),
        tuple((study.named(row.backbone), cell.mean) for row, cell in entries if row.control),
        cell.n,
        truth.cases,
    )


def _over_datasets(study: "Study", block: Complete, duels: Duels) -> Contest:
    results = block.results
    order = _ordered({name: float(block.means[name].mean()) for name in block.runs}, block.falling)
    leader, others = order[0], order[1:]
    sums = [row for row in study.overall if _is_of(row, block)]
    against = {row.backbone_b: row for row in sums if row.backbone_a == leader}
    against |= {row.backbone_a: row.reversed for row in sums if row.backbone_b == leader}
    second = baseline = None
    if others:
        if others[0] not in against:
            rows = [duels.compare(n, block.adaptation, leader, others[0]) for n in block.datasets]
            against[others[0]] = overall(rows, study.rules)[0]
        second = _lead(study, against[others[0]], block.falling)
    if study.baseline in others and study.baseline in against:
        baseline = _lead(study, against[study.baseline], block.falling)
    return Contest(
        results.task,
        block.datasets,
        block.adaptation,
        results.metric,
        results.unit,
        study.named(leader),
        float(block.means[leader].mean()),
        models=len(order),
        second=second,
        baseline=baseline,
        tied=(second.rival,) if second and second.verdict in ("undecided", "equivalent") else (),
    )


def _is_of(row: Overall, block: Complete) -> bool:
    results = block.results
    place = (results.task, block.adaptation, results.definition, results.metric)
    return (row.task, row.adaptation, *row.score) == place


def _ordered(means: Mapping[str, float], falling: bool) -> list[str]:
    """Return names from the best mean to the worst; equal ones stay in their order."""
    sign = 1 if falling else -1
    return sorted(means, key=lambda name: sign * rounded_mean(means[name]))


def _lead(study: "Study", row: Comparison | Overall, falling: bool) -> Lead:
    """Return a comparison of the leader with another as its lead."""
    if isinstance(row, Comparison):
        difference, note = row.difference, row.note if row.test == "none" else ""
    else:
        difference = row.mean_difference
        note = "" if row.verdict != "untested" else "some of the datasets have no test"
    low, high = (row.low, row.high) if not falling else (-row.high, -row.low)
    return Lead(
        study.named(row.backbone_b),
        -difference if falling else difference,
        low,
        high,
        row.verdict,
        note,
    )


def _verdict(row: Comparison, leader: str, cells: Mapping[str, Result]) -> Verdict:
    """Return whether the leader is the best: by the confidence set, which holds it always.

    That is one-sided; a lead whose two-sided interval holds 0 is undecided too, as in `compare`.
    """
    standing = cells[leader].standing
    if row.verdict == "identical":
        return "identical"
    if standing is None or standing.place not in ("best", "undecided"):
        return "untested"
    return "undecided" if _tied(leader, cells) or row.low <= 0 <= row.high else "better"


def _is_incomplete(cell: Result) -> bool:
    """Tell whether a backbone lacks repetitions that the suite asks for, shown or not."""
    return cell.partial or (cell.standing is not None and cell.standing.place == "incomplete")


def _tied(leader: str, cells: Mapping[str, Result]) -> Iterable[str]:
    """Return the others that may be the best: those in the confidence set, or all it was of."""
    standing = cells[leader].standing
    if standing is None or standing.place not in ("best", "undecided"):
        return []
    return [
        name
        for name, cell in cells.items()
        if name != leader and cell.standing is not None and cell.standing.place == standing.place
    ]

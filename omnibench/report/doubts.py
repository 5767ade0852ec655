"""What looks wrong in a suite's results: what a reader should see before the tables."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from omnibench.cards import BackboneCard
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.report.results import Result, ResultRow, Results
from omnibench.report.settings import axes, idle
from omnibench.report.truth import Truth
from omnibench.report.words import counted, listed, number
from omnibench.states import CellState
from omnibench.stats.units import undecoded
from omnibench.task import makes_backbones

if TYPE_CHECKING:
    from omnibench.report.study import Study

MOST_NAMES = 6  # of a sentence


def doubts(study: "Study", task: str) -> Iterator[str]:
    """Yield sentences on a task's results, what its records say first."""
    yield from _of_records(study, task)
    results = study.primary.get(task)
    if results is None or makes_backbones(task):
        return
    yield from _undefined(study, results)
    yield from _below_chance(study, results)
    yield from _below_controls(study, results)
    for axis in axes(study):
        if axis.task == task:
            yield from idle(study, axis)


def _of_records(study: "Study", task: str) -> Iterator[str]:
    """Yield what the task itself finds wrong in its records, one sentence a dataset and doubt."""
    units: dict[str, tuple[Unit, list[Mapping[str, Any]]]] = {}
    for state, record in study.finished:
        if state.cell.unit.task == task:
            units.setdefault(state.cell.unit.name, (state.cell.unit, []))[1].append(record)
    seen: dict[tuple[str, str], list[str]] = {}
    for unit, records in units.values():
        cases = study.truths.get((task, unit.dataset.id), Truth()).cases or 0
        for doubt in tasks.get(task).doubts(records, cases):
            name = f"{study.named(unit.backbone.id)} ({unit.short})"
            seen.setdefault((unit.dataset.id, doubt), []).append(name)
    for (dataset, doubt), names in seen.items():
        yield f"{dataset}: {doubt}: {_names(names)}."


def _undefined(study: "Study", results: Results) -> Iterator[str]:
    names = [
        f"{_model(study, row)} on {column}"
        for column, row, cell in results.cells
        if cell.state == "undefined"
    ]
    if names:
        yield f"{results.metric} is undefined in at least one repetition of {_names(names)}."


def _below_chance(study: "Study", results: Results) -> Iterator[str]:
    """Yield a sentence for each dataset on which trained backbones are no better than a guess."""
    score = undecoded((results.definition, results.metric))
    falling = results.metric in results.lower_is_better
    for at, dataset in enumerate(results.columns):
        chance = study.truths.get((results.task, dataset), Truth()).chances.get(score)
        if chance is None:
            continue
        names = [
            f"{_model(study, row)} with {number(mean, results.unit)}"
            for row in results.rows
            for mean in (row.cells[at].mean,)
            if row.cells[at].state == "done"
            and not row.control
            and (mean >= chance.value if falling else mean <= chance.value)
        ]
        if names:
            value = number(chance.value, results.unit)
            yield (
                f"{dataset}: at or below the chance level of {value} {results.metric} "
                f"({chance.guess}): {_names(names)}."
            )


def _below_controls(study: "Study", results: Results) -> Iterator[str]:
    """Yield a sentence for each dataset and backbone below its architecture's random weights."""
    starts = random_starts(study)
    sign = 1 if results.metric in results.lower_is_better else -1
    rows = {(row.backbone, row.adaptation): row for row in results.rows}
    for at, dataset in enumerate(results.columns):
        below: dict[tuple[str, str], list[str]] = {}
        for row in results.rows:
            start = rows.get((starts.get(row.backbone, ""), row.adaptation))
            if start is None or not row.cells[at].state == start.cells[at].state == "done":
                continue
            gap = sign * (row.cells[at].mean - start.cells[at].mean)
            if gap > 0:
                text = f"by {number(gap, results.unit)} {results.unit} with {row.adaptation}"
                decision = _decision(row.cells[at], start)
                below.setdefault((row.backbone, start.backbone), []).append(text + decision)
        for (backbone, control), gaps in below.items():
            yield (
                f"{dataset}: {study.named(backbone)} is worse than its architecture with random "
                f"weights, {study.named(control)}: {_names(gaps)}."
            )


def random_starts(study: "Study") -> Mapping[str, str]:
    """Return backbone -> the random control of its architecture, where the suite has it."""
    cards = {state.cell.unit.backbone.id: state.cell.unit.backbone for state in study.states}
    controls = {_architecture(c): c.id for c in cards.values() if c.source_kind == "random"}
    starts = {
        state.cell.unit.backbone.id: maker.backbone.id
        for state in study.states
        if not state.cell.unit.backbone.members
        for maker in state.cell.unit.after
    }
    for card in cards.values():
        architecture = _architecture(card)
        if card.source_kind != "random" and architecture in controls:
            starts.setdefault(card.id, controls[architecture])
        elif f"random-{card.id}" in cards:
            starts.setdefault(card.id, f"random-{card.id}")
    return starts


def _architecture(card: BackboneCard) -> str | None:
    if card.source_kind == "random":
        return card.source_name.partition("@")[0]
    if card.source_kind == "timm":
        return card.source_name.partition(".")[0]
    return card.architecture


def _decision(mine: Result, start: ResultRow) -> str:
    against = mine.against
    if against is None or against.backbone_b != start.backbone or against.test == "none":
        return ""
    return " (decided)" if against.verdict == "worse" else " (not decided)"


def _model(study: "Study", row: ResultRow) -> str:
    return f"{study.named(row.backbone)} ({row.adaptation})"


def _names(names: Sequence[str]) -> str:
    rest = len(names) - MOST_NAMES
    if rest > 0:
        return f"{', '.join(names[:MOST_NAMES])} and {counted(rest, 'other')}"
    return listed(names)


def lacking(study: "Study", task: str) -> Iterator[str]:
    """Yield a sentence for each state of the task's cells without a result."""
    for state in ("failed", "blocked", "missing"):
        cells = [s for s in study.states if s.cell.unit.task == task and s.state == state]
        if cells:
            unit = cells[0].cell.unit
            where = f"{study.named(unit.backbone.id)}, {unit.short} on {unit.dataset.id}"
            first = f"{counted(len(cells), 'cell')} {state}, first {where}{_reason(cells[0])}"
            yield f"{first.rstrip('.')}."


def _reason(state: CellState) -> str:
    """Return why a cell has no result, on one line; "" where it was not computed yet."""
    error = (state.record or {}).get("error") or {}
    message = str(error.get("message", ""))
    lacks = state.needs[0] if state.needs else ""
    # What failed did so with what it needs, whether or not that is here now.
    reason = message or lacks if state.state == "failed" else lacks or message
    return f": {' '.join(reason.split())}" if reason else ""


def made(study: "Study", task: str) -> Iterator[str]:
    """Yield a sentence for each backbone that a task made for others: from what, on what."""
    if not makes_backbones(task):
        return
    names = study.made
    results = study.primary.get(task)
    for state, record in study.finished:
        unit = state.cell.unit
        if unit.task == task:
            name = names[task, unit.dataset.id, unit.backbone.id, unit.short]
            text = f"{study.named(name)} was made from {study.named(unit.backbone.id)} on "
            text += f"{unit.dataset.id} by {unit.short}"
            value = None
            if results is not None:
                value = record["metrics"].get(f"{results.definition}/{results.metric}")
            if results is not None and value is not None:
                text += f"; {results.metric} ({results.definition}) {number(value, results.unit)}"
            yield f"{text}."

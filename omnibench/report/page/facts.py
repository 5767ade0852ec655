"""What a study's records cost, what they were made with, what failed, and what data they are of."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omnibench.architecture.floors import is_floor
from omnibench.report.columns import RowFacts, further_columns
from omnibench.report.study import Study
from omnibench.report.table import Cell, Column, Table
from omnibench.states import CellState

PLACE = tuple(map(Column, ("backbone", "task", "dataset", "adaptation")))


def costs(study: Study) -> Table:
    """Return a row for each unit that has records, with the registered columns of costs."""
    units: dict[str, list[tuple[CellState, Mapping[str, Any]]]] = {}
    for state, record in study.finished:
        units.setdefault(state.cell.unit.name, []).append((state, record))
    states = [pairs[0][0] for pairs in units.values()]
    further = list(further_columns("costs", [_facts(pairs) for pairs in units.values()]))
    rows = [(*_place(state), *(cells[k] for _, cells in further)) for k, state in enumerate(states)]
    caption = (
        "Wall time as measured on the machine that is named under Environment; what several units "
        "share (frozen features) is counted where it was computed, so the first unit pays for the "
        "others. Memory: the largest peak. Images a second: the median."
    )
    columns = (*PLACE, *(column for column, _ in further))
    return Table.from_cells("Cost of each unit", columns, rows, caption)


def _facts(pairs: Sequence[tuple[CellState, Mapping[str, Any]]]) -> RowFacts:
    unit = pairs[0][0].cell.unit
    return RowFacts(unit.task, unit.backbone, unit.short, [record for _, record in pairs])


def failures(study: Study) -> Table:
    """Return a row for each distinct failure of a unit, and for each unit that lacks something."""
    failed: dict[tuple[str, str, str], list[CellState]] = {}
    for state in study.states:
        if state.state == "failed" and state.record is not None:
            error = state.record["error"] or {}
            kind, message = str(error.get("kind", "unknown")), str(error.get("message", ""))
        elif state.state == "blocked":
            kind, message = "blocked", "; ".join(state.needs)
        elif state.state == "missing":
            kind, message = "missing", "not computed yet"
        else:
            continue
        failed.setdefault((state.cell.unit.name, kind, message), []).append(state)
    rows = [
        (
            *_place(states[0]),
            Cell(", ".join(str(state.cell.repetition) for state in states)),
            Cell(kind),
            Cell(message),
        )
        for (_, kind, message), states in failed.items()
    ]
    rows += [
        (
            *(Cell(text) for text in (lost.backbone, lost.task, lost.dataset, "")),
            Cell(""),
            Cell("not registered"),
            Cell(str(lost)),
        )
        for lost in study.unregistered
    ]
    heads = (*PLACE, Column("repetitions"), Column("kind"), Column("message"))
    return Table.from_cells("Cells without a result", heads, rows)


def environment(study: Study) -> Table:
    """Return a row for each distinct value of a fact of the records' environments."""
    counts: Counter[tuple[str, str]] = Counter()
    for _, record in study.finished:
        counts.update(_environment(record["environment"]))
    total = len(study.finished)
    names = list(dict.fromkeys(name for name, _ in counts))
    rows = [
        (Cell(name), Cell(value), Cell.from_number(count, f"{count} of {total}"))
        for name in names
        for (known, value), count in counts.items()
        if known == name
    ]
    return Table.from_cells(
        "Software and machine", (Column("fact"), Column("value"), Column("records", "number")), rows
    )


def _environment(environment: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("python", "platform", "device", "threads"):
        if name in environment:
            yield name, str(environment[name])
    for package, version in environment.get("packages", {}).items():
        yield str(package), str(version)


def datasets(study: Study, tested: Mapping[tuple[str, str], int]) -> Table:
    """Return a row for each dataset and task.

    Args:
        tested: (task, dataset) -> number of test cases in its records.
    """
    cards = {(s.cell.unit.task, s.cell.unit.dataset.id): s.cell.unit.dataset for s in study.states}
    warnings: dict[str, dict[str, None]] = {}  # of a dataset, each once
    for state, record in study.finished:
        notes = record["notes"].get("data")
        texts = notes.get("warnings") if isinstance(notes, dict) else None
        texts = texts if isinstance(texts, list) else []
        warnings.setdefault(state.cell.unit.dataset.id, {}).update(dict.fromkeys(map(str, texts)))
    rows = []
    for (task, dataset), card in cards.items():
        note = "; ".join(filter(None, [card.note, *warnings.get(dataset, {})]))
        there, official = tested.get((task, dataset)), card.splits.get("test")
        rows.append(
            (
                *(Cell(dataset), Cell(task), Cell(card.modality)),
                Cell.from_number(there, str(there)),
                Cell.from_number(official, str(official)),
                *(Cell(card.licence), Cell(card.citation), Cell(note)),
            )
        )
    heads = (
        *map(Column, ("dataset", "task", "modality")),
        Column("test cases used", "number"),
        Column("official test cases", "number"),
        *map(Column, ("licence", "source", "note")),
    )
    return Table.from_cells("Datasets", heads, rows)


def backbones(study: Study) -> Table:
    """Return a row for each backbone of the suite."""
    cards = {s.cell.unit.backbone.id: s.cell.unit.backbone for s in study.states}
    rows = []
    for name, card in cards.items():
        drawn = "nothing: one fixed random draw" if card.has_random_weights else "not stated"
        drawn = "nothing: a floor" if is_floor(card) else drawn
        made = "this suite or another record" if card.source_kind == "record" else drawn
        made = f"joins {', '.join(member.id for member in card.members)}" if card.members else made
        pretraining = ", ".join(card.pretraining) or made
        rows.append(tuple(map(Cell, (name, pretraining, card.licence, card.citation))))
    heads = tuple(map(Column, ("backbone", "pretrained on", "licence", "source")))
    return Table.from_cells("Backbones", heads, rows)


def _place(state: CellState) -> tuple[Cell, ...]:
    unit = state.cell.unit
    return tuple(map(Cell, (unit.backbone.id, unit.task, unit.dataset.id, unit.short)))

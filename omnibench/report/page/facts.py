"""What a study's records cost, what they were made with, what failed, and what data they are of."""

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from omnibench.report.page.grid import Entry, Grid, Head, number_entry
from omnibench.report.study import Study
from omnibench.states import CellState

PLACE = (Head("backbone"), Head("task"), Head("dataset"), Head("adaptation"))


def costs(study: Study) -> Grid:
    """Return a row for each unit that has records."""
    units: dict[str, list[tuple[CellState, Mapping[str, Any]]]] = {}
    for state, record in study.finished:
        units.setdefault(state.cell.unit.name, []).append((state, record["cost"]))
    rows = []
    for found in units.values():
        costs = [cost for _, cost in found]
        wall = _all(costs, "wall_s")
        memory, rate = _all(costs, "peak_memory_mb"), _all(costs, "images_per_s")
        rows.append(
            (
                *_place(found[0][0]),
                number_entry(len(found), str(len(found))),
                _quantity(sum(wall) if wall else None, 1),
                _quantity(sum(wall) / len(wall) if wall else None, 2),
                _quantity(max(memory, default=None), 0),
                _quantity(statistics.median(rate) if rate else None, 1),
                *(
                    _quantity(max(_all(costs, kind), default=None), 0)
                    for kind in ("trainable_parameters", "total_parameters")
                ),
            )
        )
    heads = (
        *(*PLACE, Head("records", True), Head("seconds, all", True, True)),
        *(Head("seconds each", True, True), Head("peak memory (MB)", True, True)),
        *(Head("images/s", True), Head("trained parameters", True, True)),
        Head("parameters", True, True),
    )
    note = (
        "Wall time as measured on the machine that is named under Environment; what several units "
        "share (frozen features) is counted where it was computed, so the first unit pays for the "
        "others. Memory: the largest peak. Images a second: the median."
    )
    return Grid("Cost of each unit", heads, tuple(rows), note)


def failures(study: Study) -> Grid:
    """Return a row for each distinct failure of a unit, and for each unit that lacks something."""
    found: dict[tuple[str, str, str], list[CellState]] = {}
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
        found.setdefault((state.cell.unit.name, kind, message), []).append(state)
    rows = [
        (
            *_place(states[0]),
            Entry(", ".join(str(state.cell.repetition) for state in states)),
            Entry(kind),
            Entry(message),
        )
        for (_, kind, message), states in found.items()
    ]
    rows += [
        (
            *(Entry(text) for text in (lost.backbone, lost.task, lost.dataset, "")),
            Entry(""),
            Entry("not registered"),
            Entry(str(lost)),
        )
        for lost in study.unregistered
    ]
    heads = (*PLACE, Head("repetitions"), Head("kind"), Head("message"))
    return Grid("Cells without a result", heads, tuple(rows))


def environment(study: Study) -> Grid:
    """Return a row for each distinct value of a fact of the records' environments."""
    counts: Counter[tuple[str, str]] = Counter()
    for _, record in study.finished:
        counts.update(_environment(record["environment"]))
    total = len(study.finished)
    names = list(dict.fromkeys(name for name, _ in counts))
    rows = [
        (Entry(name), Entry(value), number_entry(count, f"{count} of {total}"))
        for name in names
        for (known, value), count in counts.items()
        if known == name
    ]
    return Grid(
        "Software and machine", (Head("fact"), Head("value"), Head("records", True)), tuple(rows)
    )


def _environment(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("python", "platform", "device", "threads"):
        if name in found:
            yield name, str(found[name])
    for package, version in found.get("packages", {}).items():
        yield str(package), str(version)


def datasets(study: Study, tested: Mapping[tuple[str, str], int]) -> Grid:
    """Return a row for each dataset and task.

    Args:
        tested: (task, dataset) -> number of test cases in its records.
    """
    cards = {(s.cell.unit.task, s.cell.unit.dataset.id): s.cell.unit.dataset for s in study.states}
    warnings: dict[str, dict[str, None]] = {}  # of a dataset, each once
    for state, record in study.finished:
        seen = record["notes"].get("data")
        texts = seen.get("warnings") if isinstance(seen, dict) else None
        texts = texts if isinstance(texts, list) else []
        warnings.setdefault(state.cell.unit.dataset.id, {}).update(dict.fromkeys(map(str, texts)))
    rows = []
    for (task, dataset), card in cards.items():
        note = "; ".join(filter(None, [card.note, *warnings.get(dataset, {})]))
        there, official = tested.get((task, dataset)), card.splits.get("test")
        rows.append(
            (
                *(Entry(dataset), Entry(task), Entry(card.modality)),
                number_entry(there, str(there)),
                number_entry(official, str(official)),
                *(Entry(card.licence), Entry(card.citation), Entry(note)),
            )
        )
    heads = (
        *(Head("dataset"), Head("task"), Head("modality"), Head("test cases used", True)),
        *(Head("official test cases", True), Head("licence"), Head("source"), Head("note")),
    )
    return Grid("Datasets", heads, tuple(rows))


def backbones(study: Study) -> Grid:
    """Return a row for each backbone of the suite."""
    cards = {s.cell.unit.backbone.id: s.cell.unit.backbone for s in study.states}
    rows = []
    for name, card in cards.items():
        drawn = "nothing: one fixed random draw" if card.source_kind == "random" else "not stated"
        made = "this suite or another record" if card.source_kind == "record" else drawn
        pretraining = ", ".join(card.pretraining) or made
        rows.append(tuple(map(Entry, (name, pretraining, card.licence, card.citation))))
    heads = tuple(map(Head, ("backbone", "pretrained on", "licence", "source")))
    return Grid("Backbones", heads, tuple(rows))


def _place(state: CellState) -> tuple[Entry, ...]:
    unit = state.cell.unit
    return tuple(map(Entry, (unit.backbone.id, unit.task, unit.dataset.id, unit.short)))


def _all(costs: Iterable[Mapping[str, Any]], name: str) -> list[float]:
    return [cost[name] for cost in costs if isinstance(cost.get(name), int | float)]


def _quantity(value: float | None, decimals: int) -> Entry:
    return number_entry(value, "" if value is None else f"{value:,.{decimals}f}")

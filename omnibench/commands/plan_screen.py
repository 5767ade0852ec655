"""What `plan` prints: what is there of each unit, what the rest costs, and what blocks it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from omnibench.cell import Unit
from omnibench.commands.blocked import blocked_lines
from omnibench.states import CellState, needs
from omnibench.terminal import columns, duration, size

if TYPE_CHECKING:
    from omnibench.commands.planning import Planned

ROWS = 30  # units of which each has a row of its own
NAMED = 12  # views in a line


def lines(planned: "Planned", source: str) -> Iterator[str]:
    """Yield the lines of a plan.

    Args:
        source: the suite as it was asked for.
    """
    yield _units(planned)
    suite, states, cost = planned.suite.name, planned.states, planned.cost
    yield f"\n{suite}: {len(states)} cells in {len(planned.units)} units; {_counted(states)}"
    if len(planned.units) > ROWS:
        yield "each backbone: --tasks, --datasets and --adaptations narrow the plan; --json has all"
    weights = ", weights" if any(unit.keeps_weights for unit in planned.units) else ""
    yield (
        f"what is left: roughly {duration(cost['seconds'])} and "
        f"{size(cost['disk_bytes'])} of features{weights} and records on {planned.device}"
    )
    if cost["unknown"]:
        yield f"units with work that this time leaves out: {cost['unknown']}"
    yield f"rates: {cost['basis']}"
    if cost["kept"]["disk"]:
        yield f"maps or tokens of {cost['kept']['disk']} units: computed once, kept on disk"
    if cost["kept"]["memory"]:
        yield (
            f"maps or tokens of {cost['kept']['memory']} units: the disk is the slower way, so "
            "one forward is held in memory for all repetitions"
        )
    yield from _tested_on(planned.units)
    for dataset, survey in planned.surveys.items():
        yield f"data {dataset}: {survey.line}"
    if planned.weights:
        yield f"weights: {planned.weights}"
    for remark in planned.remarks:
        yield f"labels: {remark}"
    for warning in planned.warnings:
        yield f"warning: {warning}"
    yield from blocked_lines(needs(states), source)


def _units(planned: "Planned") -> str:
    """Return a table with a row a unit or, of many, with one for the units of all backbones."""
    of_unit: dict[str, list[CellState]] = {unit.name: [] for unit in planned.units}
    for state in planned.states:
        of_unit[state.cell.unit.name].append(state)
    if len(planned.units) <= ROWS:
        header = ("task", "dataset", "backbone", "adaptation", "cells")
        rows = [
            (unit.task, unit.dataset.id, unit.backbone.id, unit.short, _counted(of_unit[unit.name]))
            for unit in planned.units
        ]
        return columns(rows, header)
    blocks: dict[tuple[str, str, str], list[Unit]] = {}
    for unit in planned.units:
        blocks.setdefault((unit.task, unit.dataset.id, unit.short), []).append(unit)
    summary = [
        (*block, len(units), _counted(state for unit in units for state in of_unit[unit.name]))
        for block, units in blocks.items()
    ]
    return columns(summary, ("task", "dataset", "adaptation", "backbones", "cells"))


def _tested_on(units: Iterable[Unit]) -> Iterator[str]:
    """Yield a line that names what units are tested on beside their test images as they are."""
    views = dict.fromkeys(
        name for unit in units for name in unit.view_names if name not in unit.decodings
    )
    more = f" and {len(views) - NAMED} more" if len(views) > NAMED else ""
    if views:
        yield f"tested on beside the test images: {', '.join([*views][:NAMED])}{more}"


def _counted(states: Iterable[CellState]) -> str:
    counts = Counter(state.state for state in states)
    return ", ".join(f"{count} {state}" for state, count in counts.items())

"""The courses of a suite's trainings, from the evaluations that they left beside their records."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from omnibench.catalogue import tasks
from omnibench.files import plain, read_regular
from omnibench.record_files import EVALUATIONS
from omnibench.states import CellState
from omnibench.stats.convergence import Reached, SpeedUp, running_best, speed_up, time_to
from omnibench.stats.result import Floats
from omnibench.store import RecordStore

# What is spent until an evaluation, as its line has it; device-hours follow from seconds.
AMOUNTS = ("epochs", "steps", "images", "train_seconds", "device_hours", "flops")
SHARE = 0.95  # of one's own best, which is a target too
FEWEST = 2  # evaluations of a course

Label = tuple[str, str]  # backbone, adaptation


@dataclass(frozen=True, eq=False)
class Course:
    """The evaluations of one repetition, in order.

    Attributes:
        values: [E] of the validation metric; NaN where it is not known.
        best: [E] the best of them so far.
        amounts: what of `AMOUNTS` was spent until each, [E]; NaN where a record does not tell.
        pairing: hash of the repetition's seeds.
        decays: whether the rate falls over the whole training.
    """

    values: Floats
    best: Floats
    amounts: Mapping[str, Floats]
    pairing: str
    decays: bool

    def time_to(self, target: float, amount: str, falling: bool) -> Reached:
        """Return what was spent until a target, or in all where it was never reached."""
        return time_to(target, self.best, self.amounts[amount], falling)

    def tells(self, amount: str) -> bool:
        """Return whether it is known what was spent of this."""
        return bool(np.isfinite(self.amounts[amount]).all())


@dataclass(frozen=True, eq=False)
class Converging:
    """The trainings of one task and dataset that were judged by one validation metric.

    Attributes:
        unit: of the metric, as the task's metric of this name has it; "" where it has none.
        falling: whether less is better.
        baseline: id of the backbone whose best is a target; None for none.
        courses: of each model, by repetition.
    """

    task: str
    dataset: str
    metric: str
    unit: str
    falling: bool
    baseline: str | None
    courses: Mapping[Label, Mapping[int, Course]]

    def against_baseline(self, label: Label) -> dict[int, float]:
        """Return the baseline's best in each repetition that pairs with it, with one adaptation."""
        bases = self.courses.get((self.baseline or "", label[1]), {})
        return {
            k: target
            for k, course in self.courses[label].items()
            if k in bases and bases[k].pairing == course.pairing
            if math.isfinite(target := float(bases[k].best[-1]))
        }

    def near_own_best(self, label: Label) -> dict[int, float]:
        """Return what is as near a repetition's own best as `SHARE` says."""
        bests = {k: float(course.best[-1]) for k, course in self.courses[label].items()}
        sign = 1 if self.falling else -1
        return {
            k: best + sign * (1 - SHARE) * abs(best)
            for k, best in bests.items()
            if math.isfinite(best)
        }

    def times(self, label: Label, targets: Mapping[int, float], amount: str) -> list[Reached]:
        """Return what each repetition with a target spent on it; [] where one does not tell."""
        courses = self.courses[label]
        if not all(courses[k].tells(amount) for k in targets):
            return []
        return [courses[k].time_to(targets[k], amount, self.falling) for k in targets]

    def speed_up(self, label: Label, amount: str) -> SpeedUp:
        """Return how many times less a model spends than the baseline until the baseline's best.

        Raises:
            RefusedError: as `omnibench.stats.convergence.speed_up`.
        """
        targets = self.against_baseline(label)
        base = (self.baseline or "", label[1])
        own, others = (self.times(model, targets, amount) for model in (label, base))
        return speed_up(*((own, others) if own and others else ((), ())))


def converging(
    states: Iterable[CellState], store: RecordStore, baseline: str | None
) -> list[Converging]:
    """Return the courses of the trainings of each task, dataset and validation metric.

    Left out is where nothing was evaluated more than once.
    """
    groups: dict[tuple[str, str, str], list[tuple[CellState, bool, Course]]] = {}
    for state in states:
        record = state.record
        if state.state != "done" or record is None:
            continue
        entries = read_evaluations(store.path(state.cell).with_suffix(f".{EVALUATIONS}"))
        validated = _validated(record["notes"], entries)
        if validated is not None:
            metric, falling = validated
            unit = state.cell.unit
            course = _course(entries, metric, falling, record)
            place = (unit.task, unit.dataset.id, metric)
            groups.setdefault(place, []).append((state, falling, course))
    return [
        _converging(place, group, baseline)
        for place, group in groups.items()
        if any(len(course.values) >= FEWEST for _, _, course in group)
    ]


def read_evaluations(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a training's log in order; the first that is damaged ends it.

    A line of before 0.2.0 tells of the epoch alone.
    """
    entries: list[dict[str, Any]] = []
    try:
        for line in read_regular(plain(path)).split(b"\n"):
            entry = json.loads(line)
            epochs = float(entry["epochs"] if "epochs" in entry else entry["epoch"] + 1)
            if not (entries[-1]["epochs"] if entries else 0.0) < epochs < math.inf:
                break
            entries.append({**entry, "epochs": epochs, "validation": dict(entry["validation"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return entries


def _validated(
    notes: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]
) -> tuple[str, bool] | None:
    """Return the metric that validation is judged by, and whether less is better; None if none."""
    if not entries:
        return None
    if "validated" in notes:
        return notes["validated"]["metric"], notes["validated"]["better"] == "down"
    # Before 0.2.0 a record tells the value that was chosen, which is the most or the least.
    for metric in entries[-1]["validation"]:
        chosen = notes.get("chosen", {}).get(f"val_{metric.replace('-', '_')}")
        if chosen is not None:
            values = [_number(entry["validation"].get(metric)) for entry in entries]
            return metric, bool(chosen < np.nanmax([*values, -math.inf]))
    return None


def _course(
    entries: Sequence[Mapping[str, Any]], metric: str, falling: bool, record: Mapping[str, Any]
) -> Course:
    columns = {
        name: np.array([_number(entry.get(name)) for entry in entries])
        for name in AMOUNTS
        if name != "device_hours"
    }
    processes = record["cost"].get("processes", 1)
    columns["device_hours"] = columns["train_seconds"] * processes / 3600
    values = np.array([_number(entry["validation"].get(metric)) for entry in entries])
    decays = record["spec"]["recipe"].get("decay", "none") != "none"
    return Course(values, running_best(values, falling), columns, record["pairing"], decays)


def _number(value: Any) -> float:
    """Return a number; NaN for whatever is none, or not finite."""
    known = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if known else math.nan


def _converging(
    place: tuple[str, str, str],
    group: Sequence[tuple[CellState, bool, Course]],
    baseline: str | None,
) -> Converging:
    task, dataset, metric = place
    courses: dict[Label, dict[int, Course]] = {}
    for state, _, course in group:
        unit = state.cell.unit
        label = (unit.backbone.id, unit.short)
        courses.setdefault(label, {})[state.cell.repetition] = course
    units = {m.name: m.unit for m in tasks.get(task).metrics} if task in tasks else {}
    return Converging(task, dataset, metric, units.get(metric, ""), group[0][1], baseline, courses)

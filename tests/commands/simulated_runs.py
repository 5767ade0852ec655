"""Runs by a clock that a test sets: units of random sizes whose estimates are wrong by kind."""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass
from math import exp
from typing import Literal

from omnibench.cards import BackboneCard, DatasetCard
from omnibench.cell import Unit
from omnibench.commands.forecast import Forecast
from omnibench.context import FEATURES, RECORDED, STARTING
from omnibench.estimate import RECORD_SECONDS, UnitCost

Trained = Literal["a head", "the backbone", "nothing"]
TASKS: dict[tuple[str, str], Trained] = {
    ("a", "linear"): "a head",
    ("a", "full"): "the backbone",
    ("a", "neighbours"): "nothing",
    ("b", "linear"): "a head",
    ("b", "full"): "the backbone",
    ("c", "linear"): "a head",
}
END = "end"


@dataclass(frozen=True)
class Event:
    """A stage of a unit, or its end."""

    time: float
    unit: str
    stage: str
    done: int = 0
    total: int = 0


def unit_of(task: str, dataset: str, backbone: str, adaptation: str, repetitions: int) -> Unit:
    return Unit(
        task=task,
        dataset=DatasetCard(id=dataset, reader="a:b", tasks=("classification",)),
        backbone=BackboneCard(id=backbone, source="random:x"),
        adaptation=adaptation,
        short=adaptation,
        options={},
        recipe={},
        suite_seed=0,
        sources={},
        repetitions=tuple(range(repetitions)),
    )


class SimulatedRun:
    """A random suite that a number of slots works through, and how long it really takes.

    Args:
        overall: estimates are wrong by up to exp(+-overall) as a whole.
        spread: and by up to exp(+-spread) in each kind of work.
    """

    def __init__(self, seed: int, overall: float, spread: float) -> None:
        self.random = random.Random(seed)
        self.slots = self.random.randint(1, 4)
        self.units: list[Unit] = []
        self.costs: list[UnitCost] = []
        self.seconds: dict[str, tuple[float, float]] = {}  # really, of passes and repetitions
        draw = self.random.uniform
        whole = exp(draw(-overall, overall))
        tasks = self.random.sample(sorted(TASKS), self.random.randint(2, 5))
        passes = whole * exp(draw(-spread, spread))
        backbones = [exp(self.random.gauss(0, 0.2)) for _ in range(self.random.randint(2, 6))]
        units: list[tuple[Unit, UnitCost]] = []
        for task, adaptation in tasks:
            trained, own = TASKS[task, adaptation], whole * exp(draw(-spread, spread))
            for dataset in range(self.random.randint(1, 4)):
                size = exp(draw(0, 2))
                for number, ratio in enumerate(backbones):
                    repetitions = self.random.choice([1, 3, 5])
                    unit = unit_of(task, f"d{dataset}", f"b{number}", adaptation, repetitions)
                    images = size * exp(number / 2)
                    frozen = 0.0 if trained == "the backbone" else 40 * images
                    each = {"a head": 10, "the backbone": 60, "nothing": 0}[trained] * images
                    rest = repetitions * (each or RECORD_SECONDS)
                    units.append((unit, UnitCost(frozen, rest, 100, True, 0.0, None)))
                    really = own * ratio if each else draw(0.01, 1.5)
                    noise = [exp(self.random.gauss(0, 0.15)) for _ in range(2)]
                    self.seconds[unit.name] = (
                        frozen * passes * ratio * noise[0],
                        rest * really * noise[1],
                    )
        units.sort(key=lambda each: -each[1].features - each[1].repetitions)
        self.units = [unit for unit, _ in units]
        self.costs = [cost for _, cost in units]
        self.events = sorted(self._events(), key=lambda event: event.time)
        self.end = self.events[-1].time

    def _events(self) -> Iterator[Event]:
        free = [0.0] * self.slots
        for unit in self.units:
            time = heapq.heappop(free)
            yield Event(time, unit.name, STARTING)
            yield Event(time + 0.001, unit.name, "preparing")
            time += self.random.uniform(0.5, 3)  # loading
            frozen, rest = self.seconds[unit.name]
            for step in range(1, 21 if frozen else 0):
                yield Event(time + frozen * step / 20, unit.name, f"{FEATURES} x", 5 * step, 100)
            time += frozen
            count = len(unit.repetitions)
            for repetition in range(count):
                for step in range(1, 11):
                    at = time + 0.09 * rest / count * step  # and a tenth for the test images
                    yield Event(at, unit.name, f"training of {repetition}", step, 10)
                time += rest / count
                yield Event(time, unit.name, RECORDED, repetition + 1, count)
            yield Event(time + 0.001, unit.name, END)
            heapq.heappush(free, time + 0.002)

    def forecasts(self) -> Iterator[tuple[float, float, float | None]]:
        """Yield for each hundredth of the run its share, what is left really, and the forecast."""
        forecast, events = Forecast(self.units, self.costs, self.slots), iter(self.events)
        event = next(events, None)
        for percent in range(100):
            now = self.end * percent / 100
            while event is not None and event.time <= now:
                if event.stage == END:
                    forecast.ended(event.unit, False, 0.0, event.time)
                else:
                    forecast.stage(event.unit, event.stage, event.done, event.total, event.time)
                event = next(events, None)
            yield percent / 100, self.end - now, forecast.left(now)

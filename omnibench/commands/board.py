"""The state of a run: what each slot does, what has ended, and the time that is left."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from omnibench.cell import Unit
from omnibench.commands.forecast import Forecast
from omnibench.context import STARTING, WAITING, Context
from omnibench.engines.queue import ordered
from omnibench.estimate import unit_costs
from omnibench.execute import Finished
from omnibench.terminal import duration, shortened

NAME = 80  # characters of a unit's name in a sentence
Clock = Callable[[], float]  # seconds


@dataclass
class Slot:
    """What a slot does.

    Attributes:
        began: when its unit did.
        since, first: when its stage began, and what was done of it then.
        last: when it told of that for the last time.
    """

    unit: str
    stage: str
    done: int
    total: int
    began: float
    since: float
    first: int
    last: float

    @property
    def rate(self) -> float | None:
        """Return how much is done a second; None where that is not known yet."""
        gained, seconds = self.done - self.first, self.last - self.since
        return gained / seconds if gained > 0 and seconds > 0 else None

    @property
    def words(self) -> str:
        """Return the stage, how far it is, and its rate."""
        words = self.stage
        if self.total:
            words += f" {self.done}/{self.total}"
        if self.rate is not None:
            words += f", {self.rate:.0f}/s" if self.rate >= 10 else f", {self.rate:.2g}/s"
        return words


class Board:
    """The state of a run, as its engine tells it. Threads that show it may look at any time.

    Attributes:
        slots: what each one does; None for nothing.
        ended, failed: units.
    """

    def __init__(
        self,
        pending: Sequence[Unit],
        forecast: Forecast,
        slots: int,
        clock: Clock = time.monotonic,
    ) -> None:
        self.total = len(pending)
        self.slots: list[Slot | None] = [None] * max(1, min(slots, self.total))
        self.ended = self.failed = 0
        self.clock = clock
        self.began = clock()
        self._forecast = forecast
        self._lock = threading.RLock()
        self._reasons: dict[str, str] = {}  # of a failure -> the unit that it was printed with

    @classmethod
    def from_context(cls, pending: Sequence[Unit], context: Context) -> "Board":
        """Return the state of a run that is about to start."""
        slots = 1 if context.process[1] > 1 else context.jobs
        units = ordered(pending, context)
        return cls(pending, Forecast(units, list(unit_costs(units, context)), slots), slots)

    def stage(self, unit: str, stage: str, done: int, total: int) -> None:
        """Take in how far a unit is."""
        with self._lock:
            now = self.clock()
            self._forecast.stage(unit, stage, done, total, now)
            place = self._place(unit)
            if stage == WAITING:
                self._free(unit)
                return
            if place is None:
                place = self._take()
            slot = self.slots[place]
            if slot is None or stage == STARTING:
                self.slots[place] = Slot(unit, stage, done, total, now, now, done, now)
            elif slot.stage != stage:
                self.slots[place] = Slot(unit, stage, done, total, slot.began, now, done, now)
            else:
                slot.done, slot.total, slot.last = done, total, now

    def finished(self, result: Finished) -> None:
        """Take in that a unit has ended."""
        with self._lock:
            failed = any(message is not None for message in result.repetitions.values())
            self._forecast.ended(result.unit.name, failed, result.seconds, self.clock())
            self._free(result.unit.name)
            self.ended += 1
            self.failed += failed

    def busy(self) -> list[Slot]:
        """Return what the slots that work do."""
        with self._lock:
            return [slot for slot in self.slots if slot is not None]

    @property
    def count(self) -> str:
        """Return how many units have ended, in words."""
        return f"{self.ended}/{self.total} units" + (
            f", {self.failed} failed" if self.failed else ""
        )

    @property
    def left(self) -> str:
        """Return the time that is left, in words; "" where nothing tells."""
        with self._lock:
            seconds = self._forecast.left(self.clock())
        if seconds is None or self.ended == self.total:
            return ""
        return f"about {duration(max(1.0, seconds))} left"

    def reasons(self, result: Finished) -> Iterator[str]:
        """Yield a sentence on each reason for which repetitions failed, in full when it is new."""
        messages = Counter(
            message for message in result.repetitions.values() if message is not None
        )
        for message, count in messages.items():
            name = shortened(result.unit.name, NAME)
            where = f"failed: {name} ({count} of {len(result.repetitions)} cells)"
            first = self._reasons.setdefault(message, result.unit.name)
            if first == result.unit.name:
                yield f"{where}: {message}"
            else:
                yield f"{where}, for the reason that {shortened(first, NAME)} did"

    def _place(self, unit: str) -> int | None:
        places = (k for k, slot in enumerate(self.slots) if slot is not None and slot.unit == unit)
        return next(places, None)

    def _take(self) -> int:
        """Return the first free slot."""
        if None not in self.slots:
            self.slots.append(None)
        return self.slots.index(None)

    def _free(self, unit: str) -> None:
        place = self._place(unit)
        if place is not None:
            self.slots[place] = None

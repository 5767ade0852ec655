"""How long a run still takes: the plan's estimates, corrected by what was measured meanwhile."""

import heapq
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from omnibench.cell import Unit
from omnibench.context import FEATURES, RECORDED, STARTING, WAITING
from omnibench.estimate import RECORD_SECONDS, UnitCost

# A measured ratio counts as much as the one of the kind above it once so large a share of a mean
# unit was measured.
SHRINKAGE = 0.1
UNKNOWN = "unknown"
Kind = tuple[str, ...]  # from the general to the special; a ratio is measured of each beginning


@dataclass
class _Part:
    """The frozen passes of a unit, or its repetitions.

    Attributes:
        kind: whose estimates are wrong alike.
        work: its estimated seconds; of a unit that has no estimate its number of repetitions.
        done: share of it that is done.
        began, first: when it did, and (time, share) of the first stage that was heard of.
        last: time of the last one.
        ended: whether the unit is past it.
    """

    kind: Kind
    work: float
    done: float = 0.0
    began: float | None = None
    first: tuple[float, float] | None = None
    last: float = 0.0
    ended: bool = False

    @property
    def open(self) -> bool:
        """Return whether it has begun and not ended."""
        return self.began is not None and not self.ended

    @property
    def latest(self) -> float:
        """Return when it was last heard of; it has begun."""
        return max(self.last, self.began or 0.0)

    def measured(self) -> tuple[float, float]:
        """Return the seconds that were measured of it, and the work that was done in them."""
        if self.first is None:
            return 0.0, 0.0
        time, share = self.first
        return self.last - time, self.work * (self.done - share)


@dataclass
class _Going:
    """A unit that a slot works on."""

    parts: tuple[_Part, _Part]  # frozen passes, repetitions
    rows: dict[str, int] = field(default_factory=dict)  # images that are through, of each split
    recorded: int = 0


class Forecast:
    """The time that is left of a run.

    An estimate is off by a ratio that is measured: of a kind of work (frozen passes; a task's
    adaptation), of a backbone's, of the unit itself, each shrunk to the one before it, the first to
    that of the other kinds.

    Args:
        units: in the order in which they start.
        costs: of each unit.
        slots: units that run at a time, at least.
    """

    def __init__(self, units: Sequence[Unit], costs: Sequence[UnitCost], slots: int) -> None:
        self.slots = slots
        self._units = {unit.name: unit for unit in units}
        self._costs = dict(zip(self._units, costs, strict=True))
        self._waiting = dict.fromkeys(self._units)
        self._going: dict[str, _Going] = {}
        self._measured: dict[Kind, list[float]] = defaultdict(lambda: [0.0, 0.0])
        works: dict[Kind, list[float]] = defaultdict(list)
        for name in self._units:
            for part in self._parts(name):
                for depth in range(1, len(part.kind) + 1 if part.work else 0):
                    works[part.kind[:depth]].append(part.work)
        self._mean = {kind: sum(each) / len(each) for kind, each in works.items()}

    def stage(self, name: str, stage: str, done: int, total: int, now: float) -> None:
        """Take in how far a unit is, at a time in seconds."""
        if name not in self._units:
            return
        if stage == WAITING:
            self._going.pop(name, None)
            self._waiting = {name: None} | self._waiting
            return
        if name not in self._going or stage == STARTING:
            self._waiting.pop(name, None)
            self._going[name] = _Going(self._parts(name))
            self.slots = max(self.slots, len(self._going))
        if stage == STARTING:  # its process may have to load first
            return
        going, cost = self._going[name], self._costs[name]
        passes, repetitions = going.parts
        first = passes if passes.work else repetitions
        if first.began is None:
            first.began = now
        if not total:  # it prepares
            return
        if stage.startswith(FEATURES):
            if passes.open:
                going.rows[stage] = done
                _go_on(passes, min(1.0, sum(going.rows.values()) / max(1, cost.images)), now)
            return
        if repetitions.began is None:
            repetitions.began = now
            self._end(passes, now)
        going.recorded = done if stage == RECORDED else going.recorded
        within = 0.0 if stage == RECORDED else min(1.0, done / total)
        share = (going.recorded + within) / len(self._units[name].repetitions)
        _go_on(repetitions, max(repetitions.done, min(1.0, share)), now)

    def ended(self, name: str, failed: bool, seconds: float, now: float) -> None:
        """Take in that a unit has ended; nothing is learnt from one that failed.

        Args:
            seconds: that it took, for one of which nothing else was heard.
        """
        self._waiting.pop(name, None)
        going = self._going.pop(name, None)
        if failed or name not in self._units:
            return
        if going is None or not any(part.began is not None for part in going.parts):
            parts = self._parts(name)
            ratio = seconds / max(1e-9, sum(part.work for part in parts))
            for part in parts:
                _add(self._measured, part.kind, ratio * part.work, part.work)
            return
        passes, repetitions = going.parts
        if repetitions.began is None:  # of no repetition was heard
            repetitions.began = passes.began
        self._end(repetitions, now)

    def left(self, now: float) -> float | None:
        """Return the seconds that are left at a time; None where nothing tells."""
        measured = defaultdict(lambda: [0.0, 0.0], {k: list(v) for k, v in self._measured.items()})
        open_parts = [part for going in self._going.values() for part in going.parts if part.open]
        for part in open_parts:
            _add(measured, part.kind, *part.measured())
        for part in open_parts:
            # What tells nothing for longer than its rest was to take is taken to be half through.
            silent, rest = now - part.latest, self._seconds(part, measured)
            if rest is not None and silent > rest:
                _add(measured, part.kind, silent, part.work * (1 - part.done) / 2)
        ends = dict[str, float]()
        for name, going in self._going.items():
            rests = [self._seconds(part, measured) for part in going.parts]
            silent = sum(now - part.latest for part in going.parts if part.open)
            ends[name] = max(0.0, math.fsum(rest or 0.0 for rest in rests) - silent)
            if None in rests:
                return None
        waiting = dict[str, float]()
        for name in self._waiting:
            rests = [self._seconds(part, measured) for part in self._parts(name)]
            waiting[name] = math.fsum(rest or 0.0 for rest in rests)
            if None in rests:
                return None
        makers = {name: [maker.name for maker in self._units[name].after] for name in waiting}
        return _last_end(list(ends.values()), waiting, makers, ends, self.slots)

    def _parts(self, name: str) -> tuple[_Part, _Part]:
        unit, cost = self._units[name], self._costs[name]
        basis, features, work = "FLOPs", cost.features, cost.repetitions
        if not cost.known:
            basis, features, work = UNKNOWN, 0.0, float(len(unit.repetitions))
        elif work <= RECORD_SECONDS * len(unit.repetitions):
            basis = "records"  # hardly more, however wrong FLOPs are
        task = f"{unit.task} {unit.adaptation}"
        return (
            _Part(("FLOPs", FEATURES, unit.backbone.id, name), features),
            _Part((basis, task, unit.backbone.id, name), work),
        )

    def _end(self, part: _Part, now: float) -> None:
        """Count a part as measured from its beginning to its end."""
        if part.began is not None and part.work:
            _add(self._measured, part.kind, now - part.began, part.work)
        part.done, part.ended = 1.0, True

    def _seconds(self, part: _Part, measured: Mapping[Kind, Sequence[float]]) -> float | None:
        """Return what is left of a part; None where neither plan nor measurement tell."""
        work = part.work * (1 - part.done)
        if not work:
            return 0.0
        ratio = self._overall(part.kind[0], measured)
        for depth in range(2, len(part.kind) + 1):
            seconds, done = measured.get(part.kind[:depth], (0.0, 0.0))
            if depth == 2 and not done and part.kind[0] == UNKNOWN:
                return None
            weight = SHRINKAGE * self._mean[part.kind[:depth]]
            ratio = (seconds + weight * ratio) / (done + weight) if done + weight else ratio
        return work * ratio

    def _overall(self, basis: str, measured: Mapping[Kind, Sequence[float]]) -> float:
        """Return the ratio for a kind of work of which nothing was measured.

        It is the geometric mean of those of the measured kinds, and of 1: the plan may be far off
        for one of them, as for a small training that is all overhead, and near for the others.
        """
        logs, weights = 0.0, 0.0 if basis == UNKNOWN else 1.0
        for kind, (seconds, done) in measured.items():
            if len(kind) == 2 and kind[0] == basis and seconds > 0 and done > 0:
                weight = done / (done + SHRINKAGE * self._mean[kind])
                logs += weight * math.log(seconds / done)
                weights += weight
        return math.exp(logs / weights) if weights else 1.0


def _go_on(part: _Part, done: float, now: float) -> None:
    part.done, part.last = done, now
    if part.first is None:
        part.first = (now, done)


def _add(measured: dict[Kind, list[float]], kind: Kind, seconds: float, work: float) -> None:
    for depth in range(1, len(kind) + 1):
        measured[kind[:depth]][0] += seconds
        measured[kind[:depth]][1] += work


def _last_end(
    busy: Sequence[float],
    rests: Mapping[str, float],
    makers: Mapping[str, Sequence[str]],
    ends: dict[str, float],
    slots: int,
) -> float:
    """Return when the last unit ends, where each slot takes the first one that may start.

    Args:
        busy: when the slots that work are free.
        rests: seconds of what waits, in its order.
        makers: what each of them waits for.
        ends: of what is going on; those of the others are added.
    """
    free = [*busy, *[0.0] * (slots - len(busy))]
    heapq.heapify(free)
    waiting = list(rests)
    while waiting:
        now, start, chosen = heapq.heappop(free), math.inf, 0
        for place, name in enumerate(waiting):
            if any(maker in rests and maker not in ends for maker in makers[name]):
                continue  # its maker has not started
            ready = max([ends.get(maker, 0.0) for maker in makers[name]], default=0.0)
            if ready < start:
                start, chosen = ready, place
            if ready <= now:
                break
        name = waiting.pop(chosen)
        ends[name] = max(now, start if start < math.inf else now) + rests[name]
        heapq.heappush(free, ends[name])
    return max(free, default=0.0)

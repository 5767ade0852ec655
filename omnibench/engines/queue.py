"""What an engine may start next: after what it needs, and in the order that ends soonest."""

import logging
import math
import time
from collections.abc import Iterator, Sequence

from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import STARTING, WAITING, Context
from omnibench.estimate import estimate
from omnibench.execute import Finished
from omnibench.features import feature_key
from omnibench.leases import Lease, Leases
from omnibench.store import RecordStore

AGAIN_SECONDS = 1.0  # until a unit that another runner holds is looked at again
NOTICE_SECONDS = 30.0  # between two lines that say for whom is waited
log = logging.getLogger("omnibench")


class Queue:
    """The units of a run that have not ended.

    Longest first, so that none is left over at the end; those that share frozen features stand
    together, and while the first of them computes these the others wait.
    """

    def __init__(self, units: Sequence[Unit], context: Context) -> None:
        self.context = context
        self.store = RecordStore(context.results)
        self.leases = Leases(context.results, context.steal)
        self.waiting = ordered(units, context)
        self.running: dict[str, Lease] = {}
        self._shares = {unit.name: _shared(unit) for unit in units}
        self._warming: dict[str, str] = {}  # what is shared -> the unit that computes it
        self._warm: set[str] = set()
        self._again: dict[str, float] = {}
        self._done: set[str] = set()  # digests of the makers' cells
        self._last_notice = -math.inf

    def __bool__(self) -> bool:
        """Return whether any unit waits or runs."""
        return bool(self.waiting or self.running)

    def start(self) -> Unit | None:
        """Take the next unit that may start, with the repetitions that are due; None for none now.

        A unit whose repetitions another runner has finished meanwhile has none left.
        """
        now, held, coming = time.monotonic(), list[str](), self._coming()
        for k, unit in enumerate(self.waiting):
            shared = self._shares[unit.name]
            if self._again.get(unit.name, 0.0) > now or shared in self._warming:
                continue
            if any(maker.name in coming or not self._is_done(maker) for maker in unit.after):
                continue
            lease = self.leases.take(unit.name)
            if lease is None:
                self._again[unit.name] = now + AGAIN_SECONDS
                held.append(unit.name)
                continue
            del self.waiting[k]
            self.running[unit.name] = lease
            if shared and shared not in self._warm:
                self._warming[shared] = unit.name
            self.context.watch(unit.name, STARTING, 0, 0)
            return unit
        if held and now - self._last_notice >= NOTICE_SECONDS:
            self._last_notice = now
            more = f", and for {len(held) - 1} more" if len(held) > 1 else ""
            log.warning("waiting for %s%s: %s", held[0], more, self.leases.holder(held[0]))
        return None

    def end(self, unit: Unit, finished: Finished | None) -> Finished | None:
        """Let a unit go that has ended, or that is to be started again.

        Args:
            finished: what became of it; None where its process died.

        Returns:
            The same; None where it is to be started again.
        """
        again = finished is None or finished.lost
        self.leases.release(self.running.pop(unit.name))
        shared = self._shares[unit.name]
        if self._warming.get(shared) == unit.name:
            del self._warming[shared]
            if not again:
                self._warm.add(shared)
        if again:
            self.waiting.insert(0, unit)
            self.context.watch(unit.name, WAITING, 0, 0)
            return None
        return finished

    def close(self) -> None:
        """Let go of everything that still runs."""
        for lease in self.running.values():
            self.leases.release(lease)
        self.running.clear()

    def orphans(self) -> Iterator[Finished]:
        """Yield the units that wait for one which ended without what they need."""
        coming = self._coming()
        for unit in list(self.waiting):
            lost = [m for m in unit.after if m.name not in coming and not self._is_done(m)]
            if lost:
                self.waiting.remove(unit)
                names = ", ".join(maker.name for maker in lost)
                message = f"{names} did not end, whose weights it needs"
                yield Finished(unit, dict.fromkeys(unit.repetitions, message), 0.0)

    def _coming(self) -> set[str]:
        return {unit.name for unit in self.waiting} | set(self.running)

    def _is_done(self, unit: Unit) -> bool:
        """Return whether every cell is done; a record that is done is read once, with its files."""
        for cell in unit.cells:
            if cell.digest not in self._done:
                record = self.store.look(cell)
                if record is None or record["status"] != "done":
                    return False
                self._done.add(cell.digest)
        return True


def _shared(unit: Unit) -> str:
    """Return what units with the same frozen features share; "" where nothing is kept."""
    kind = tasks.get(unit.task).adaptations[unit.adaptation].frozen_kind
    return feature_key(unit, "test", kind).digest if kind else ""


def ordered(units: Sequence[Unit], context: Context) -> list[Unit]:
    """Sort groups that share features by what they cost together, the longest first."""
    costs = {unit.name: float(estimate([unit], context)["seconds"]) for unit in units}
    groups: dict[str, list[Unit]] = {}
    for unit in units:
        groups.setdefault(_shared(unit) or unit.name, []).append(unit)
    makers = {maker.name for unit in units for maker in unit.after}
    longest = sorted(
        groups.values(),
        # What others wait for goes first.
        key=lambda group: (
            -any(unit.name in makers for unit in group),
            -sum(costs[unit.name] for unit in group),
        ),
    )
    return [unit for group in longest for unit in sorted(group, key=lambda u: -costs[u.name])]

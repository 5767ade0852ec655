"""The local engine: a process for each slot, so that what kills one costs its unit alone."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from multiprocessing.connection import wait

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.engines.queue import Queue
from omnibench.engines.slot import Slot
from omnibench.execute import Finished, fail_unit

ATTEMPTS = 2  # of a unit whose process died: a third would not help
POLL_SECONDS = 0.5


def run(units: Sequence[Unit], context: Context) -> Iterator[Finished]:
    """Yield each unit as it finishes, up to `context.jobs` of them at a time.

    A process that dies is replaced. Its unit is tried once more, as another one may have taken the
    memory; what it had finished by then stays. Under torchrun the process at hand does it all.
    """
    if context.process[1] > 1:
        from omnibench.engines import serial

        yield from serial.run(units, context)
        return
    queue, deaths = Queue(units, context), Counter[str]()
    slots = [Slot(own) for own in slot_contexts(context)]
    with closing(queue):
        try:
            while queue:
                yield from queue.orphans()
                for slot in slots:
                    if slot.unit is None and (unit := queue.start()) is not None:
                        slot.start(unit, queue.running[unit.name])
                busy = [slot for slot in slots if slot.unit is not None]
                if not busy:
                    time.sleep(POLL_SECONDS)
                    continue
                wait([end for slot in busy for end in slot.ends], POLL_SECONDS)
                for slot in busy:
                    if (finished := _ended(slot, queue, deaths, context)) is not None:
                        yield finished
        finally:
            for slot in slots:
                slot.stop()


def slot_contexts(context: Context) -> list[Context]:
    """Divide threads, and GPUs if there are several, among the slots."""
    gpus = context.gpus if context.device == "cuda" else 0
    threads = max(1, context.threads // context.jobs)
    return [
        replace(context, threads=threads, device=f"cuda:{k % gpus}" if gpus > 1 else context.device)
        for k in range(context.jobs)
    ]


def _ended(slot: Slot, queue: Queue, deaths: Counter[str], context: Context) -> Finished | None:
    """Return what became of a slot's unit; None while it runs, or when it is to be tried again."""
    unit = slot.unit
    assert unit is not None
    finished = slot.finished()
    if finished is None:
        error = slot.broken_limit()
        if error is None and slot.alive:
            return None
        deaths[unit.name] += 1
        again = error is None and deaths[unit.name] < ATTEMPTS
        error = error or slot.death()
        slot.stop(at_once=True)
        if not again:
            own = replace(context, lease=queue.running[unit.name])
            finished = fail_unit(unit, own, error, deaths[unit.name], slot.seconds)
    return queue.end(unit, finished)

"""A unit in a process of its own, watched: what the engines of clusters do where a unit runs."""

from dataclasses import replace
from multiprocessing.connection import wait

from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.engines.limits import broken_limit
from omnibench.engines.local import ATTEMPTS, POLL_SECONDS
from omnibench.engines.shared import share
from omnibench.engines.slot import Slot
from omnibench.engines.starting import refusal, register_all
from omnibench.errors import OmnibenchError
from omnibench.execute import Finished, fail_unit
from omnibench.interrupts import unwarned
from omnibench.leases import Lease


def attend(unit: Unit, slot: Slot, processes: int = 1, lease: Lease | None = None) -> Finished:
    """Run a unit that is ours in a slot; where its process dies, it is tried once more.

    Args:
        processes: that share a training which goes through the backbone, by torchrun with a GPU
            each; any other unit takes one.
        lease: by which it is ours; None where no other runner can be.
    """
    context = replace(slot.context, lease=lease)
    if processes > 1:
        try:
            register_all(context)  # a worker of Ray knows no task yet
        except Exception as error:
            return fail_unit(unit, context, refusal(error), 1, 0.0)
        if tasks.get(unit.task).adaptations[unit.adaptation].through_backbone:
            return share(unit, context, processes)
    attempts = 0
    while True:
        attempts += 1
        with unwarned():
            slot.start(unit, lease)
        died, ended = _watch(slot)
        if isinstance(ended, Finished):
            return ended
        slot.stop(at_once=True)
        if not died or attempts == ATTEMPTS:
            return fail_unit(unit, context, ended, attempts, slot.seconds)


def _watch(slot: Slot) -> tuple[bool, Finished | OmnibenchError]:
    """Wait for what becomes of a slot's unit: whether its process died, and what came of it."""
    while True:
        wait(slot.ends, POLL_SECONDS)
        if (finished := slot.finished()) is not None:
            return False, finished
        if (error := broken_limit(slot, slot.context)) is not None:
            return False, error
        if not slot.alive:
            return True, slot.death()

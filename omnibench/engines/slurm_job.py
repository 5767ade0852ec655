"""What a SLURM job runs: one unit, under its lease; warned of its time limit, it goes on later."""

import logging
import signal
import sys
import time
from contextlib import closing
from dataclasses import replace

from submitit.core.utils import UncompletedJobError
from submitit.helpers import DelayedSubmission

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.engines.attended import attend
from omnibench.engines.queue import AGAIN_SECONDS, Queue
from omnibench.engines.slot import Slot
from omnibench.engines.worker import refusal, register_all
from omnibench.errors import OmnibenchError, TimeLimitError
from omnibench.execute import Finished, fail_unit
from omnibench.interrupts import WARNING, Interrupted, interruptible
from omnibench.leases import EXPIRY, Leases

log = logging.getLogger("omnibench")


class UnitJob:
    """A job of one unit; submitit calls it, and has it requeued by `checkpoint`.

    A job that ends with a failed cell has the exit status 1, so that none starts which needs it.
    """

    def __init__(self, unit: Unit, context: Context) -> None:
        self.unit, self.context = unit, context

    def checkpoint(self) -> DelayedSubmission:
        """Return what the requeued job is to run: the same; finished cells are records."""
        return DelayedSubmission(self)

    def __call__(self) -> None:
        """Run what is due of the unit."""
        _log_to_output()
        # submitit's own would cut a training in the middle of a step.
        requeue = signal.getsignal(WARNING)
        try:
            with interruptible(WARNING):
                finished = self._run()
        except Interrupted as interrupted:
            if interrupted.number != WARNING:
                log.info("%s: stopped; the same `run` submits it again", interrupted)
                sys.exit(128 + interrupted.number)
            assert callable(requeue)
            try:
                requeue(WARNING, None)  # does not return where the job is requeued
            except UncompletedJobError as error:
                finished = self._cut(str(error))
        failures = [message for message in finished.repetitions.values() if message is not None]
        for message in failures:
            log.error("failed: %s", message)
        sys.exit(1 if failures else 0)

    def _run(self) -> Finished:
        try:
            register_all(self.context)
        except Exception as error:
            return self._fail(refusal(error))
        slot = Slot(self.context)
        with closing(Queue([self.unit], self.context)) as queue:
            for orphan in queue.orphans():
                return orphan
            # A job that was requeued may meet the lease of the node that was lost.
            patience = time.monotonic() + 2 * EXPIRY
            try:
                while time.monotonic() < patience:
                    if (unit := queue.start()) is None:
                        time.sleep(AGAIN_SECONDS)
                        continue
                    lease = queue.running[unit.name]
                    finished = attend(unit, slot, self.context.gpus, lease)
                    if (ended := queue.end(unit, finished)) is not None:
                        return ended
                    patience = time.monotonic() + 2 * EXPIRY
            finally:
                slot.stop()
        return self._held()

    def _cut(self, reason: str) -> Finished:
        error = TimeLimitError(
            f"its job was cut by its time limit too often ({reason}); give the profile a longer "
            "time or more resubmissions, and it goes on from its last checkpoint"
        )
        return self._fail(error)

    def _fail(self, error: OmnibenchError) -> Finished:
        with Leases(self.context.results).held(self.unit.name) as lease:
            if lease is None:
                return self._held()
            return fail_unit(self.unit, replace(self.context, lease=lease), error, 1, 0.0)

    def _held(self) -> Finished:
        holder = Leases(self.context.results).holder(self.unit.name)
        return Finished(self.unit, dict.fromkeys(self.unit.repetitions, holder), 0.0)


def _log_to_output() -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False

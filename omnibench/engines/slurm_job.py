"""What a SLURM job runs: one unit, under its lease; warned of its time limit, it goes on later."""

import logging
import signal
import sys
import time
from contextlib import closing

from submitit.core.utils import UncompletedJobError
from submitit.helpers import DelayedSubmission

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.engines.attended import attend
from omnibench.engines.queue import AGAIN_SECONDS, Queue
from omnibench.engines.slot import Slot
from omnibench.engines.starting import refusal, register_all
from omnibench.errors import TimeLimitError
from omnibench.execute import Finished, fail_unit
from omnibench.interrupts import WARNING, Interrupted, interruptible
from omnibench.leases import EXPIRY

log = logging.getLogger("omnibench")


class UnitJob:
    """One unit in a job; submitit calls it, and has it requeued by `checkpoint`.

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
            return fail_unit(self.unit, self.context, refusal(error), 1, 0.0)
        slot = Slot(self.context)
        with closing(Queue([self.unit], self.context)) as queue:
            for orphan in queue.orphans():
                return orphan
            # A job that was requeued may meet the lease of the node that was lost.
            patience = time.monotonic() + 2 * EXPIRY
            while (unit := queue.start()) is None:
                if time.monotonic() > patience:
                    message = "another runner holds it"
                    return Finished(self.unit, dict.fromkeys(self.unit.repetitions, message), 0.0)
                time.sleep(AGAIN_SECONDS)
            try:
                return attend(unit, slot, self.context.gpus)
            finally:
                slot.stop()

    def _cut(self, reason: str) -> Finished:
        error = TimeLimitError(
            f"its job was cut by its time limit too often ({reason}); give the profile a longer "
            "time or more resubmissions, and it goes on from its last checkpoint"
        )
        return fail_unit(self.unit, self.context, error, 1, 0.0)


def _log_to_output() -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False

"""A unit in processes of its own, watched: what the engines of clusters do where a unit runs.

One process, or several with a GPU each that share its training through torchrun; those run this
file.
"""

import pickle
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path

from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.engines.local import ATTEMPTS, POLL_SECONDS
from omnibench.engines.slot import GRACE_SECONDS, Slot, out_of_time
from omnibench.engines.worker import refusal, register_all, run_due, set_exact
from omnibench.errors import KilledError, OmnibenchError
from omnibench.execute import Finished, fail_unit
from omnibench.files import write_atomically
from omnibench.interrupts import interruptible, unwarned
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
        if tasks.get(unit.task).adaptations[unit.adaptation].under(unit.options).through_backbone:
            return _share(unit, context, processes)
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
        if (error := slot.broken_limit()) is not None:
            return False, error
        if not slot.alive:
            return True, slot.death()


def _share(unit: Unit, context: Context, processes: int) -> Finished:
    """Run a unit in processes of this machine; the first one writes its records."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "unit").write_bytes(pickle.dumps((unit, context)))
        launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        with unwarned():
            torchrun = subprocess.Popen(
                [sys.executable, *launch, "-m", "omnibench.engines.attended", name]
            )
        error: OmnibenchError
        try:
            code = torchrun.wait(context.time_limit)
            error = KilledError(f"its {processes} processes ended with exit status {code}")
        except subprocess.TimeoutExpired:
            assert context.time_limit is not None
            error = out_of_time(context.time_limit)
        finally:
            _stop(torchrun)
        if (folder / "refused").exists():
            error = pickle.loads((folder / "refused").read_bytes())
        if (folder / "finished").exists():
            finished: Finished = pickle.loads((folder / "finished").read_bytes())
            return finished
    # What the first process has recorded itself, such as its own error, stays.
    return fail_unit(unit, context, error, 1, time.monotonic() - began)


def _stop(torchrun: "subprocess.Popen[bytes]") -> None:
    """End the processes; a training may write its checkpoint first."""
    torchrun.terminate()
    try:
        torchrun.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        torchrun.kill()
        torchrun.wait()


def main(folder: Path) -> None:
    """Run one process's part of the unit in the folder."""
    unit, context = pickle.loads((folder / "unit").read_bytes())
    with ExitStack() as stack:
        try:
            from omnibench.training.processes import joined

            register_all(context)
            own = stack.enter_context(joined(context))
            set_exact(own)
        except Exception as error:
            write_atomically(folder / "refused", pickle.dumps(refusal(error)))
            sys.exit(1)
        stack.enter_context(interruptible())
        finished = run_due(unit, own)
    if own.writes:
        (folder / "finished").write_bytes(pickle.dumps(finished))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

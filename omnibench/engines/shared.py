"""One unit whose training several processes share through torchrun, each with a GPU."""

import pickle
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.engines.slot import GRACE_SECONDS
from omnibench.engines.starting import refusal, register_all
from omnibench.errors import KilledError, OmnibenchError, TimeLimitError
from omnibench.execute import Finished, fail_unit
from omnibench.files import write_atomically
from omnibench.interrupts import interruptible, unwarned


def share(unit: Unit, context: Context, processes: int) -> Finished:
    """Run a unit that is ours in processes of this machine; the first one writes its records."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "unit").write_bytes(pickle.dumps((unit, context)))
        launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        with unwarned():
            torchrun = subprocess.Popen(
                [sys.executable, *launch, "-m", "omnibench.engines.shared", name]
            )
        error: OmnibenchError
        try:
            code = torchrun.wait(context.time_limit)
            error = KilledError(f"its {processes} processes ended with exit status {code}")
        except subprocess.TimeoutExpired:
            error = TimeLimitError(
                f"it ran for more than {context.time_limit:g} s; give it a longer --time-limit, "
                "and it goes on from its last checkpoint"
            )
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
    """One of the processes: its part of the unit in the folder."""
    unit, context = pickle.loads((folder / "unit").read_bytes())
    with ExitStack() as stack:
        try:
            from omnibench.engines.one import prepare, run_one
            from omnibench.training.processes import joined

            register_all(context)
            own = stack.enter_context(joined(context))
            prepare(own)
        except Exception as error:
            write_atomically(folder / "refused", pickle.dumps(refusal(error)))
            sys.exit(1)
        stack.enter_context(interruptible())
        finished = run_one(unit, own)
    if own.writes:
        (folder / "finished").write_bytes(pickle.dumps(finished))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

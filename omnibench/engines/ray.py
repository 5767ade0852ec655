"""The Ray engine: each unit is a task with CPUs and a share of GPUs; a lost node's starts again.

Results and data must be folders that every node sees under the same path.
"""

import logging
import math
import os
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.engines.attended import attend
from omnibench.engines.local import POLL_SECONDS
from omnibench.engines.messages import Message, Sending, log_again
from omnibench.engines.queue import Queue
from omnibench.engines.slot import GRACE_SECONDS, Slot
from omnibench.errors import KilledError, RequestError, one_line
from omnibench.execute import Finished, fail_unit
from omnibench.interrupts import Interrupted, interruptible
from omnibench.leases import Lease

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a run reports to nobody
try:
    import ray
except ModuleNotFoundError:
    raise RequestError("--engine ray needs Ray: pip install 'omnibench[ray]'") from None

ATTEMPTS = 3  # of a unit whose node or worker was lost
KNOCK_SECONDS = 10.0
QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
Stage = tuple[str, str, int, int]  # as of `Context.watch`
log = logging.getLogger("omnibench")

# A worker serves one run. Its process with torch stays for the next unit.
_slots: dict[Context, Slot] = {}


def join(context: Context, address: str, device: str) -> Context:
    """Join a running cluster; return the context of a machine like the smallest one that serves.

    Args:
        device: as asked for; with "auto", CUDA where a node has GPUs.

    Raises:
        RequestError: no cluster answers there, or none of its nodes has the device.
    """
    try:
        _knock(address)
        ray.init(address=address, **QUIET)
    except (OSError, ValueError, RuntimeError) as error:
        raise RequestError(
            f"--address: no Ray cluster answers at '{address}' ({one_line(error)}); "
            "start one with: ray start --head"
        ) from None
    nodes = _nodes()
    if device == "auto":
        device = "cuda" if any(node.get("GPU", 0) >= 1 for node in nodes) else "cpu"
    cuda = device.startswith("cuda")
    serving = [node for node in nodes if not cuda or node.get("GPU", 0) >= 1]
    if not serving:
        raise RequestError(f"--device: no node of the Ray cluster at '{address}' has {device}")
    threads = min(int(node["CPU"]) for node in serving)
    gpus = min(int(node.get("GPU", 0)) for node in serving)
    return replace(context, device=device, threads=threads, gpus=gpus)


def run(units: Sequence[Unit], context: Context) -> Iterator[Finished]:
    """Yield each unit as it finishes, on the cluster that was joined or on one started here.

    `context.jobs` units divide a machine's CPUs and GPUs; at a time there run as many as the
    nodes have room for. Leases are held here, so that what a lost node ran starts again at once.
    """
    gpus = context.gpus if context.device.startswith("cuda") else 0
    if not ray.is_initialized():
        ray.init(num_cpus=context.threads, num_gpus=gpus, include_dashboard=False, **QUIET)
    queue, tasks = Queue(units, context), _Tasks(context, gpus)
    with closing(queue):
        try:
            while queue:
                yield from queue.orphans()
                while tasks.have_room() and (unit := queue.start()) is not None:
                    tasks.start(unit, queue.running[unit.name])
                for unit, finished in tasks.ended():
                    if (ended := queue.end(unit, finished)) is not None:
                        yield ended
        except SystemError as error:  # what a signal becomes inside Ray's own code
            raise error.__cause__ or error from None
        finally:
            tasks.cancel()
            ray.shutdown()


class _Tasks:
    """The units that Ray runs."""

    def __init__(self, context: Context, gpus: int) -> None:
        threads, share = max(1, context.threads // context.jobs), gpus / context.jobs
        self.context = context
        # Ray takes a part of one GPU, or whole ones.
        self.needed = {"num_cpus": threads, "num_gpus": int(share) if share > 1 else share}
        self._own = replace(context, threads=threads, jobs=1)
        self._processes = int(share)
        self._task: Any = ray.remote(run_unit).options(**self.needed, max_retries=0)
        self._units: dict[Any, tuple[Unit, Lease]] = {}
        self._board = _board()
        self._losses: Counter[str] = Counter()

    def have_room(self) -> bool:
        """Return whether the living nodes hold one more; what would only wait takes no lease."""
        cpus, gpus = self.needed["num_cpus"], self.needed["num_gpus"]
        room = sum(
            int(min(node["CPU"] / cpus, node.get("GPU", 0) / gpus if gpus else math.inf) + 1e-6)
            for node in _nodes()
        )
        return len(self._units) < room

    def start(self, unit: Unit, lease: Lease) -> None:
        """Hand a unit that is ours by its lease to Ray."""
        task = self._task.remote(unit, self._own, self._processes, lease, self._board)
        self._units[task] = (unit, lease)

    def ended(self) -> Iterator[tuple[Unit, Finished | None]]:
        """Wait a moment; yield what has ended, with None for what is to be started again."""
        if not self._units:
            time.sleep(POLL_SECONDS)
            return
        self._watch()
        for task in ray.wait(list(self._units), timeout=POLL_SECONDS)[0]:
            unit, lease = self._units.pop(task)
            yield unit, self._result(task, unit, lease)

    def _watch(self) -> None:
        """Show what the units have told since it was last looked."""
        try:
            for stage in ray.get(self._board.take.remote()):
                self.context.watch(*stage)
        except ray.exceptions.RayError:  # its node was lost, and what is told to it with it
            self._board = _board()

    def cancel(self) -> None:
        """End what runs; a training may write its checkpoint first."""
        for task in self._units:
            ray.cancel(task)
        if self._units:
            ray.wait(list(self._units), num_returns=len(self._units), timeout=GRACE_SECONDS)

    def _result(self, task: Any, unit: Unit, lease: Lease) -> Finished | None:
        try:
            finished, messages = ray.get(task)
        except ray.exceptions.RayTaskError:
            raise  # not the unit's own failure, which is a record: omnibench's
        except ray.exceptions.RayError as error:
            why = f"its Ray node or worker was lost ({type(error).__name__})"
            self._losses[unit.name] += 1
            if self._losses[unit.name] < ATTEMPTS:
                log.warning("%s: %s; it starts again", unit.name, why)
                return None
            lost = KilledError(f"{why} {ATTEMPTS} times")
            return fail_unit(unit, replace(self.context, lease=lease), lost, ATTEMPTS, 0.0)
        for message in messages:
            log_again(message)
        assert isinstance(finished, Finished)
        return finished


def run_unit(
    unit: Unit, context: Context, processes: int, lease: Lease, board: Any
) -> tuple[Finished, list[Message]]:
    """Run a unit whose lease the driver holds, in a worker of Ray; returns what it had to say too.

    Raises:
        KeyboardInterrupt: the driver cancelled it; a training has written its checkpoint.
    """
    messages: list[Message] = []
    handler = Sending(messages.append)
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    slot = _slots.setdefault(context, Slot(context))
    slot.context = replace(context, watch=lambda *stage: board.tell.remote(stage))
    try:
        with interruptible():
            return attend(unit, slot, processes, lease), messages
    except Interrupted:
        slot.stop()
        raise KeyboardInterrupt from None
    finally:
        log.removeHandler(handler)


class _Board:
    """What the units of a run tell while they go on; an actor, which the driver reads."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []

    def tell(self, stage: Stage) -> None:
        self.stages.append(stage)

    def take(self) -> list[Stage]:
        stages, self.stages = self.stages, []
        return stages


def _board() -> Any:
    return ray.remote(_Board).options(num_cpus=0).remote()


def _knock(address: str) -> None:
    """Fail at once where nobody listens, for which Ray itself would wait for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host:
        socket.create_connection((host, int(port)), timeout=KNOCK_SECONDS).close()


def _nodes() -> list[dict[str, float]]:
    """Return what each living node that has CPUs holds."""
    alive = (dict(node["Resources"]) for node in ray.nodes() if node["Alive"])
    return [node for node in alive if node.get("CPU", 0) >= 1]

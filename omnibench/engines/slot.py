"""A slot: a process of its own that runs the units it is given, one after another."""

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.device import wait_asleep
from omnibench.engines.messages import Sending, log_again
from omnibench.engines.worker import refusal, register_all, run_due, set_exact
from omnibench.errors import KilledError, MemoryShortageError, OmnibenchError, TimeLimitError
from omnibench.execute import Finished
from omnibench.interrupts import Interrupted, interruptible
from omnibench.leases import Lease
from omnibench.pretrained import register_recorded

Send = Callable[[tuple[str, Any]], None]
GRACE_SECONDS = 60.0  # for a training to write its checkpoint
IDLE_SECONDS = 10.0  # for an idle process to end by itself
STAGE_SECONDS = 0.2  # between two messages of one stage


class Slot:
    """The runner's side: hands a unit over and receives what becomes of it.

    Attributes:
        unit: what it runs; None while it is free.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.unit: Unit | None = None
        self.began: float | None = None
        self._process: Any = None
        self._connection: Connection | None = None
        self._result: Finished | None = None
        self._refusal: OmnibenchError | None = None

    @property
    def ends(self) -> list[Any]:
        """Return what to wait for: a message, or the process's end."""
        return [self._connection, self._process.sentinel]

    @property
    def alive(self) -> bool:
        """Return whether its process lives."""
        return self._process is not None and self._process.is_alive()

    @property
    def seconds(self) -> float:
        """Return how long its unit has run, once its process had loaded what it needs."""
        return 0.0 if self.began is None else time.monotonic() - self.began

    def start(self, unit: Unit, lease: Lease | None) -> None:
        """Run a unit that is ours by its lease, in the process at hand or in a new one."""
        self.unit, self.began = unit, None
        self._result = self._refusal = None
        if not self.alive:
            self._spawn()
        assert self._connection is not None
        try:
            self._connection.send((unit, lease))
        except OSError:  # it died while it was idle
            self._spawn()
            self._connection.send((unit, lease))

    def finished(self) -> Finished | None:
        """Take in its messages, and return what became of the unit once that is known."""
        self._receive()
        if self._result is not None:
            self.unit = None
        return self._result

    def _receive(self) -> None:
        assert self._connection is not None
        # It may have died, perhaps in the middle of a message.
        with contextlib.suppress(EOFError, OSError):
            while self._result is None and self._connection.poll():
                kind, content = self._connection.recv()
                if kind == "finished":
                    self._result = content
                elif kind == "began":
                    self.began = time.monotonic()
                elif kind == "refused":
                    self._refusal = content
                elif kind == "stage":
                    self.context.watch(*content)
                else:
                    log_again(content)

    def broken_limit(self) -> OmnibenchError | None:
        """Return the error of the limit of time or memory that its unit has broken, if it has."""
        limit = self.context.time_limit
        if limit is not None and self.seconds > limit:
            return out_of_time(limit)
        limit = self.context.memory_limit
        used = 0.0 if limit is None else _resident_gib(int(self._process.pid))
        if limit is not None and used > limit:
            return MemoryShortageError(
                f"it took {used:.1f} GiB, more than --memory-limit {limit:g}; give it more or make "
                "its batch smaller"
            )
        return None

    def death(self) -> OmnibenchError:
        """Return the error of a unit whose process died: its own last word, or how it ended."""
        self._process.join()
        self._receive()
        if self._refusal is not None:
            return self._refusal
        code = int(self._process.exitcode)
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        hint = (
            "; the machine may have run out of memory: give fewer --jobs or a smaller batch"
            if code == -signal.SIGKILL
            else ""
        )
        return KilledError(f"its process ended by {how}{hint}")

    def stop(self, at_once: bool = False) -> None:
        """End the process; unless at once, a training may write its checkpoint first."""
        if self._process is None:
            return
        assert self._connection is not None
        if self.unit is None and not at_once:
            # Killed, it would leave semaphores of libraries behind, of which Python warns.
            with contextlib.suppress(OSError):
                self._connection.send(None)
                self._process.join(IDLE_SECONDS)
        elif self.alive and not at_once:
            self._process.terminate()
            self._process.join(GRACE_SECONDS)
        self._process.kill()
        self._process.join()
        self._connection.close()
        self._process = self._connection = self.unit = None

    def _spawn(self) -> None:
        if self._process is not None:
            unit = self.unit
            self.stop(at_once=True)
            self.unit = unit
        # Not forked: torch's threads and CUDA do not survive that.
        spawning = multiprocessing.get_context("spawn")
        self._connection, other_end = spawning.Pipe()
        arguments = (other_end, self.context, os.getpid())
        self._process = spawning.Process(target=serve, args=arguments)
        wait_asleep()
        self._process.start()
        other_end.close()


class _Stages:
    """Sends the runner how far a stage is: its beginning, its end, and now and then between."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self._stage, self._next = ("", ""), 0.0

    def __call__(self, unit: str, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if (unit, stage) == self._stage and done < total and now < self._next:
            return
        self._stage, self._next = (unit, stage), now + STAGE_SECONDS
        self.send(("stage", (unit, stage, done, total)))


def serve(connection: Connection, context: Context, runner: int) -> None:
    """Run units as they come until the runner is gone; the process's own side.

    Args:
        runner: the number of the runner's process.
    """
    lock = threading.Lock()

    def send(message: tuple[str, Any]) -> None:
        try:
            with lock:
                connection.send(message)
        except OSError:  # the runner is gone: that is no failure of the unit, so none is recorded
            os._exit(1)

    messages = logging.getLogger("omnibench")
    messages.handlers = [Sending(lambda message: send(("log", message)))]
    messages.propagate = False
    messages.setLevel(logging.DEBUG)
    threading.Thread(target=_end_with, args=(runner,), daemon=True).start()
    try:
        register_all(context)
        set_exact(context)
    except Exception as error:
        send(("refused", refusal(error)))
        sys.exit(1)
    own = replace(context, watch=_Stages(send))
    try:
        with interruptible():
            # The terminal sends these to all; the runner tells its processes itself.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            while True:
                try:
                    message = connection.recv()
                except (EOFError, OSError):  # the runner is gone
                    os._exit(0)
                if message is None:
                    return
                unit, lease = message
                send(("began", None))
                register_recorded(context.results)  # what other units have made meanwhile
                send(("finished", run_due(unit, replace(own, lease=lease))))
    except Interrupted:
        os._exit(0)
    except Exception as error:  # not the unit's own failure, which is a record
        send(("refused", refusal(error, "failed")))
        sys.exit(1)


def out_of_time(limit: float) -> TimeLimitError:
    """Return the error of a unit that ran for longer than so many seconds."""
    return TimeLimitError(
        f"it ran for more than {limit:g} s; give it a longer --time-limit, and it goes on from its "
        "last checkpoint"
    )


def _resident_gib(pid: int) -> float:
    """Return the memory that a process holds, in GiB; 0 where the system does not tell."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 2**20
    return 0.0


def _end_with(parent: int) -> None:
    """End when the runner does, however that ended: nobody would hear what is computed."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)

"""Ctrl-C, SIGTERM and a closed terminal end a run, but never in the middle of a record's write."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

# SLURM sends it before a time limit, to every process of a job.
WARNING = signal.SIGUSR2


class Interrupted(BaseException):
    """A signal asked the run to end; not an Exception, so that no failing cell swallows it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class _State:
    writing = 0
    pending: int | None = None


def _handle(number: int, frame: FrameType | None) -> None:
    if _State.writing:
        _State.pending = number
    else:
        raise Interrupted(number)


@contextlib.contextmanager
def interruptible(*others: signal.Signals) -> Iterator[None]:
    """Turn SIGINT, SIGTERM, SIGHUP and others into `Interrupted` in the block; main thread only.

    A SIGHUP that is ignored, as under nohup, stays so.
    """
    numbers = [signal.SIGINT, signal.SIGTERM, *others]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    previous = {number: signal.signal(number, _handle) for number in numbers}
    try:
        yield
    finally:
        _State.pending = None
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def unwarned() -> Iterator[None]:
    """Let processes that start inside the block never hear a `WARNING`, which would end them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {WARNING})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {WARNING})


@contextlib.contextmanager
def finishing() -> Iterator[None]:
    """Let the block end, or fail, before a signal takes effect."""
    _State.writing += 1
    try:
        yield
    finally:
        _State.writing -= 1
        if not _State.writing and _State.pending is not None:
            number, _State.pending = _State.pending, None
            raise Interrupted(number)

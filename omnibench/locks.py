"""A lock between processes of one machine, which logs whom it waits for."""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from omnibench.holder import is_stopped

FIRST_SECONDS, REPEAT_SECONDS = 2.0, 30.0  # until a wait is logged, and logged again
log = logging.getLogger("omnibench")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path` for the block's time; a wait for its holder is logged.

    Raises:
        OSError: the file cannot be made.
    """
    lock = FileLock(path)
    patience = FIRST_SECONDS
    while not lock.is_locked:
        try:
            lock.acquire(timeout=patience)
        except Timeout:
            log.warning("waiting for the lock %s: %s", path, _holder_of(path))
            patience = REPEAT_SECONDS
    try:
        yield
    finally:
        lock.release()


def _holder_of(path: Path) -> str:
    """Return who holds a lock, as Linux lists it, and the way out where that process is stopped."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        status = path.stat()
        device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5] == f"{device}:{status.st_ino}":
                pid = int(fields[4])
                if is_stopped(pid):
                    return f"process {pid} holds it and is stopped; go on with it (fg) or end it"
                return f"process {pid} holds it"
    return "another process holds it"

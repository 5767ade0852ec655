"""Leases: one runner at a time on a unit, also over a network file system.

A lease is a file that is created exclusively and touched while its holder lives. A holder of this
machine that is gone is known at once; any other by the age of its file, told by the file system's
own clock. Generations keep two takers of one dead lease apart: the next is created exclusively too.
"""

import contextlib
import functools
import json
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibench.cell import digest_of
from omnibench.errors import StoreError

EXPIRY, BEAT = 90.0, 15.0  # seconds
log = logging.getLogger("omnibench")


@dataclass(frozen=True)
class Lease:
    """What a runner holds.

    Attributes:
        below: dead leases of the same unit that it took over.
    """

    path: Path
    content: bytes
    below: tuple[Path, ...] = ()


class Leases:
    """The leases below one results folder, kept alive by a thread while any is held."""

    def __init__(self, results: Path) -> None:
        self.folder = results / "leases"
        self._held: dict[Path, Lease] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()

    @contextlib.contextmanager
    def held(self, name: str) -> Iterator[bool]:
        """Hold a unit for the block's time; yields whether it is ours."""
        lease = self.take(name)
        try:
            yield lease is not None
        finally:
            if lease is not None:
                self.release(lease)

    def take(self, name: str) -> Lease | None:
        """Take a unit by its name; None where another runner holds it.

        Raises:
            StoreError: the folder cannot be written.
        """
        stem = _stem(name)
        there = self._there(stem)
        if any(map(self._alive, there)):
            return None
        generation = 1 + max(map(_generation, there), default=-1)
        path = self.folder / f"{stem}.{generation}.lease"
        lease = Lease(path, json.dumps({**_holder(), "unit": name}).encode(), tuple(there))
        if not self._create(lease):
            return None
        # Whoever else came between the look and the creation: both go back and try again.
        if any(self._alive(other) for other in self._there(stem) if other != path):
            _remove(path)
            return None
        with self._lock:
            self._held[path] = lease
            if len(self._held) == 1:
                self._ended = threading.Event()
                threading.Thread(target=self._beat, args=(self._ended,), daemon=True).start()
        return lease

    def release(self, lease: Lease) -> None:
        """Let a unit go."""
        with self._lock:
            self._held.pop(lease.path, None)
            if not self._held:
                self._ended.set()
        for path in (*lease.below, lease.path):
            _remove(path)

    def living(self) -> set[str]:
        """Return the names of the units that live runners hold."""
        found = set()
        for path in self.folder.glob("*.lease"):
            with contextlib.suppress(OSError, ValueError, KeyError):
                if self._alive(path):
                    found.add(str(json.loads(path.read_bytes())["unit"]))
        return found

    def _there(self, stem: str) -> list[Path]:
        return sorted(self.folder.glob(f"{stem}.*.lease"), key=_generation)

    def _create(self, lease: Lease) -> bool:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with lease.path.open("xb") as file:
                file.write(lease.content)
        except OSError as error:
            if lease.path.exists():
                return False
            raise StoreError(
                f"{lease.path} could not be written: {error.strerror}; make room or choose "
                "another --results"
            ) from error
        return True

    def _alive(self, path: Path) -> bool:
        try:
            content, touched = path.read_bytes(), path.stat().st_mtime
        except FileNotFoundError:
            return False
        try:
            holder = json.loads(content)
            pid, started = int(holder["pid"]), str(holder["started"])
            machine = str(holder["machine"])
        except (ValueError, KeyError, TypeError):  # about to be written, or damaged
            machine = ""
        if machine == _machine():
            return started != "" and _started(pid) == started
        return self._now() - touched < EXPIRY

    def _now(self) -> float:
        """The time by the file system's clock, which is another's on a network."""
        probe = self.folder / f".clock-{os.getpid()}-{secrets.token_hex(4)}"
        try:
            probe.touch()
            return probe.stat().st_mtime
        except OSError:  # a folder that may only be read
            return time.time()
        finally:
            _remove(probe)

    def _beat(self, ended: threading.Event) -> None:
        while not ended.wait(BEAT):
            with self._lock:
                held = list(self._held.values())
            for lease in held:
                try:
                    os.utime(lease.path)
                except FileNotFoundError:
                    log.warning("the lease %s was deleted; it is written again", lease.path)
                    with contextlib.suppress(StoreError):
                        self._create(lease)
                except OSError as error:
                    log.warning("the lease %s cannot be touched: %s", lease.path, error.strerror)


def _stem(name: str) -> str:
    return digest_of(name)[:32]


def _generation(path: Path) -> int:
    middle = path.name.split(".")[1]
    return int(middle) if middle.isdecimal() else 0


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _holder() -> dict[str, Any]:
    pid = os.getpid()
    return {"machine": _machine(), "pid": pid, "started": _started(pid)}


@functools.cache
def _machine() -> str:
    """What tells this machine's processes from others': containers share names and numbers."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _started(pid: int) -> str:
    """When a process of this machine began, in the kernel's ticks; "" where it is gone.

    A process number alone may have been given to another since.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "" if Path("/proc/self").exists() else _without_proc(pid)
    after_name = stat.rpartition(")")[2].split()
    return "" if after_name[0] in "ZX" else after_name[19]


def _without_proc(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    return "alive"

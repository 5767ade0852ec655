"""Leases: one runner at a time on a unit, also over a network file system.

A lease is a file that is created exclusively and touched while its holder lives. A holder of this
machine that is gone is known at once; any other by the age of its file, told by the file system's
own clock, or when nobody touched it while it was watched. Generations keep two takers of one dead
lease apart: the next is created exclusively too. Each lease's content is its own (a fencing
token): whoever comes late, because it was paused or cut off, finds it gone and writes nothing.
"""

import contextlib
import datetime
import json
import logging
import secrets
import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from os import utime
from pathlib import Path

from omnibench.cell import digest_of
from omnibench.errors import LostLeaseError, StoreError
from omnibench.files import file_system_time, read_regular
from omnibench.holder import Holder

EXPIRY, BEAT = 90.0, 15.0  # seconds
STOPPED = "stopped"  # of `Leases.steal`: every holder of this machine that a signal has stopped
log = logging.getLogger("omnibench")


@dataclass(frozen=True)
class Lease:
    """What a runner holds, until another takes it over.

    Attributes:
        content: what is in its file while it is held; no two leases have the same.
    """

    unit: str
    path: Path
    content: bytes

    def is_held(self) -> bool:
        """Return whether nobody took it over or deleted it.

        Raises:
            StoreError: it cannot be told.
        """
        try:
            return read_regular(self.path) == self.content
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(
                f"the lease {self.path} cannot be read ({error.strerror}), so nothing is written "
                "under it; look at its disk, then give the same command again"
            ) from error

    def require(self) -> None:
        """Be sure that it is held.

        Raises:
            LostLeaseError: it is not.
            StoreError: it cannot be told.
        """
        if not self.is_held():
            raise LostLeaseError(
                f"the lease of {self.unit} was taken over or deleted while it was computed; what "
                "this runner made of it is not recorded, and the unit is looked at again"
            )


class Leases:
    """The leases below one results folder, kept alive by a thread while any is held.

    Args:
        steal: names of holders (`Holder.name`, or `STOPPED`) that are not waited for.
    """

    def __init__(self, results: Path, steal: Collection[str] = ()) -> None:
        self.folder = results / "leases"
        self.steal = steal
        self._held: set[Lease] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._watched: dict[Path, tuple[float, float]] = {}  # its time, and as if touched when

    @contextlib.contextmanager
    def held(self, name: str) -> Iterator[Lease | None]:
        """Hold a unit for the block's time; yields None where another runner holds it."""
        lease = self.take(name)
        try:
            yield lease
        finally:
            if lease is not None:
                self.release(lease)

    def take(self, name: str) -> Lease | None:
        """Take a unit by its name; return None where another runner holds it.

        Raises:
            StoreError: the folder cannot be written.
        """
        earlier = self._leases_of(name)
        if any(map(self._keeps, earlier)):
            return None
        generation = 1 + max(map(_generation, earlier), default=-1)
        path = self.folder / f"{_stem(name)}.{generation}.lease"
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        token = {"unit": name, "since": now, "token": secrets.token_hex(16)}
        lease = Lease(name, path, json.dumps({**Holder.from_here().as_dict(), **token}).encode())
        if not _create(lease):
            return None
        # Whoever else came between the look and the creation: both go back and try again.
        if any(self._keeps(other) for other in self._leases_of(name) if other != path):
            _remove(path)
            return None
        for other in earlier:
            _remove(other)
        with self._lock:
            self._held.add(lease)
            if len(self._held) == 1:
                self._ended = threading.Event()
                threading.Thread(target=self._beat, args=(self._ended,), daemon=True).start()
        return lease

    def release(self, lease: Lease) -> None:
        """Let a unit go."""
        with self._lock:
            self._held.discard(lease)
            if not self._held:
                self._ended.set()
        with contextlib.suppress(StoreError):
            if lease.is_held():
                _remove(lease.path)

    def living(self) -> set[str]:
        """Return the names of the units that live runners hold."""
        names = set()
        for path in self.folder.glob("*.lease"):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
                if self._alive(path):
                    names.add(str(json.loads(read_regular(path))["unit"]))
        return names

    def holder(self, name: str) -> str:
        """Say who holds a unit, and what there is to do where that is a stopped process."""
        for path in reversed(self._leases_of(name)):
            try:
                content = read_regular(path)
                holder = Holder.from_json(content)
                since = json.loads(content).get("since") if holder else None
            except OSError:
                continue
            if holder is None:
                return f"the lease {path} cannot be read, and is let go unless it is touched"
            text = f"process {holder.name} holds it"
            if isinstance(since, str) and since.isascii() and since.isprintable():
                text += f" since {since}"
            if holder.is_stopped:
                text += (
                    f" and is stopped: continue it with fg or kill -CONT {holder.pid}, end it with "
                    f"kill -KILL {holder.pid}, or run with --steal to take its units over"
                )
            return text
        return "it was let go just now"

    def _leases_of(self, name: str) -> list[Path]:
        return sorted(self.folder.glob(f"{_stem(name)}.*.lease"), key=_generation)

    def _keeps(self, path: Path) -> bool:
        """Return whether a lease keeps others out."""
        if not self._alive(path):
            return False
        holder = _holder_of(path) if self.steal else None
        if holder is None:
            return True
        return not (holder.name in self.steal or (STOPPED in self.steal and holder.is_stopped))

    def _alive(self, path: Path) -> bool:
        try:
            touched, holder = path.stat().st_mtime, _holder_of(path)
        except OSError:
            return False
        if holder is not None and holder.is_here:
            return holder.is_alive
        # Whoever can't be read has just been created, or is damaged: its holder has lost it.
        patience = 2 * BEAT if holder is None else EXPIRY
        if self._watched.get(path, (None,))[0] != touched:
            # A clock that was set back, here or on the file server, makes no lease live for ever.
            age = max(0.0, file_system_time(self.folder) - touched)
            self._watched[path] = touched, time.monotonic() - age
        return time.monotonic() - self._watched[path][1] < patience

    def _beat(self, ended: threading.Event) -> None:
        while not ended.wait(BEAT):
            with self._lock:
                held = tuple(self._held)
            for lease in held:
                with self._lock:  # no release comes between the look and the touch
                    if lease in self._held:
                        self._touch(lease)

    def _touch(self, lease: Lease) -> None:
        try:
            if lease.is_held():
                utime(lease.path)
                return
        except (OSError, StoreError) as error:
            log.warning("the lease %s cannot be touched: %s", lease.path, error)
            return
        self._held.discard(lease)
        log.debug("the lease of %s was taken over or deleted", lease.unit)  # told at its write


def _create(lease: Lease) -> bool:
    """Write a lease and return True, unless one is there already.

    Raises:
        StoreError: the folder cannot be written.
    """
    try:
        lease.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = lease.path.open("xb")
        except FileExistsError:  # whoever made it may have let it go already
            return False
        with file:
            try:
                file.write(lease.content)
                file.flush()
            except OSError:
                _remove(lease.path)  # an empty one would keep others out
                raise
    except OSError as error:
        raise StoreError(
            f"{lease.path} could not be written: {error.strerror}; make room or choose "
            "another --results, then give the same command again"
        ) from error
    return True


def _stem(name: str) -> str:
    return digest_of(name)[:32]


def _generation(path: Path) -> int:
    middle = path.name.split(".")[1]
    return int(middle) if middle.isdecimal() else 0


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _holder_of(path: Path) -> Holder | None:
    """Return who holds a lease; None where its content cannot be read."""
    try:
        return Holder.from_json(read_regular(path))
    except OSError:
        return None

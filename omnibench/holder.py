"""A process that holds a lease or writes a file, told from every other on any machine."""

import contextlib
import functools
import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omnibench.cell import digest_of


@dataclass(frozen=True)
class Holder:
    """A process.

    Attributes:
        machine: host, start of its system and space of process numbers: containers share names.
        pid: the process's number.
        started: when it began, in the kernel's ticks, as a number is given again.
    """

    machine: str
    pid: int
    started: str

    @classmethod
    def from_here(cls) -> "Holder":
        """Return the process that asks."""
        pid = os.getpid()
        return cls(_machine(), pid, _stat(pid)[1])

    @classmethod
    def from_json(cls, content: bytes) -> "Holder | None":
        """Return the process that a JSON object names; None where it does not."""
        try:
            fields = json.loads(content)
            holder = cls(fields["machine"], fields["pid"], fields["started"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        types = [type(value) for value in asdict(holder).values()]
        return holder if types == [str, int, str] else None

    def as_dict(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return asdict(self)

    @property
    def name(self) -> str:
        """Return it as people name it: number and host."""
        host = self.machine.partition(" ")[0]
        return f"{self.pid}@{''.join(c for c in host if c.isprintable())}"

    @property
    def mark(self) -> str:
        """Return a short text for names of files, equal for one process alone."""
        return f"{digest_of(self.machine)[:8]}-{self.pid}-{self.started}"

    @property
    def is_here(self) -> bool:
        """Return whether it is, or was, a process of this machine."""
        return self.machine == _machine()

    @property
    def is_alive(self) -> bool:
        """Return whether it, a process of this machine, still runs."""
        state, started = _stat(self.pid)
        return state not in ("", "Z", "X") and started == self.started

    @property
    def is_stopped(self) -> bool:
        """Return whether a signal, such as Ctrl-Z, has stopped it, a process of this machine."""
        return self.is_here and self.is_alive and is_stopped(self.pid)


def is_stopped(pid: int) -> bool:
    """Return whether a process of this machine is stopped by a signal, such as Ctrl-Z."""
    return _stat(pid)[0] == "T"


def mark_is_gone(mark: str) -> bool:
    """Return whether a `Holder.mark` is of a process of this machine that has ended."""
    machine, _, process = mark.partition("-")
    pid, _, started = process.partition("-")
    if machine != digest_of(_machine())[:8] or not pid.isdecimal():
        return False
    return not Holder(_machine(), int(pid), started).is_alive


@functools.cache
def _machine() -> str:
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _stat(pid: int) -> tuple[str, str]:
    """Return state and start of a process of this machine; empty texts where it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ("", "") if Path("/proc/self").exists() else _without_proc(pid)
    fields = stat.rpartition(")")[2].split()
    return fields[0], fields[19]


def _without_proc(pid: int) -> tuple[str, str]:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return "", ""
    except OSError:
        pass
    return "R", "alive"

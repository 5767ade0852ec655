"""What chaos does to runners, to their files and to their disk. Each returns whether it could."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.engines.chaos_runner import EXPIRY

PAUSE_SECONDS = EXPIRY + 4.0  # long enough for a lease to expire

# What is read back -> where it lies below a place.
KINDS = {
    "record": "results/records/**/rep-*.json",
    "predictions": "results/records/**/*.predictions.npz",
    "checkpoint": "results/checkpoints/*/step-*.pt",
    "index": "results/index/**/*.index",
    "lease": "results/leases/*.lease",
    "manifest": "data/features/*/manifest.json",
    "shard": "data/features/*/*.rows",
}


@dataclass
class Target:
    """What faults are done to.

    Attributes:
        place: holds results/ and data/.
        runner: one of the runners, chosen anew for each fault.
    """

    place: Path
    runner: "subprocess.Popen[bytes]"
    rng: random.Random


Fault = Callable[[Target], bool]


def descendants(pid: int) -> list[int]:
    """Return the processes below one, its children first."""
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    children = [int(number) for number in listed.stdout.split()]
    return children + [number for child in children for number in descendants(child)]


def send(number: signal.Signals, *pids: int) -> None:
    """Send a signal to processes, some of which may have ended."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def kill_worker(target: Target) -> bool:
    """Kill the youngest process of a runner: a worker, where it has one."""
    below = descendants(target.runner.pid)
    if len(below) > 1:
        send(signal.SIGKILL, below[-1])
    return len(below) > 1


def kill_runner(target: Target) -> bool:
    """Kill a runner; its workers are to notice."""
    target.runner.kill()
    return True


def hang_up(target: Target) -> bool:
    """Close the terminal of a runner."""
    send(signal.SIGHUP, target.runner.pid, *descendants(target.runner.pid))
    return True


def pause_runner(target: Target) -> bool:
    """Stop a runner and all its workers until its leases have expired, then let it go on."""
    pids = [target.runner.pid, *descendants(target.runner.pid)]
    send(signal.SIGSTOP, *pids)
    time.sleep(PAUSE_SECONDS)
    send(signal.SIGCONT, *pids)
    return True


def pause_holder(target: Target) -> bool:
    """Stop a runner alone, so that its leases are not touched while its workers go on."""
    pids = [target.runner.pid, *descendants(target.runner.pid)[:1]]
    send(signal.SIGSTOP, *pids)
    time.sleep(PAUSE_SECONDS)
    send(signal.SIGCONT, *pids)
    return True


def delete_lease(target: Target) -> bool:
    """Delete a lease that is held."""
    path = _any(target, "lease")
    if path:
        path.unlink(missing_ok=True)
    return path is not None


def shift_lease(target: Target) -> bool:
    """Let the file server's clock have been a day off when a lease was touched."""
    path, then = _any(target, "lease"), time.time() + target.rng.choice([-86_400, 86_400])
    try:
        if path:
            os.utime(path, (then, then))
    except FileNotFoundError:
        return False
    return path is not None


def fill_disk(target: Target) -> bool:
    """Leave no room on the file system for longer than a lease lives."""
    filler = target.place / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            for size in (2**20, 2**12, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue
        time.sleep(PAUSE_SECONDS)
    finally:
        filler.unlink()
    return True


def cutting(kind: str) -> Fault:
    """Return the fault that cuts a file of a kind short, as a crash of the file system might."""

    def cut(target: Target) -> bool:
        path = _any(target, kind)
        try:
            if path:
                os.truncate(path, target.rng.randrange(path.stat().st_size or 1))
        except FileNotFoundError:
            return False
        return path is not None

    cut.__name__ = f"cut_{kind}"
    return cut


def flipping(kind: str) -> Fault:
    """Return the fault that flips a bit of a file of a kind."""

    def flip(target: Target) -> bool:
        path = _any(target, kind)
        try:
            if path and path.stat().st_size:
                with path.open("r+b") as file:
                    at = target.rng.randrange(path.stat().st_size)
                    file.seek(at)
                    byte = file.read(1)
                    file.seek(at)
                    file.write(bytes([byte[0] ^ 1 << target.rng.randrange(8)]) if byte else b"")
        except FileNotFoundError:
            return False
        return path is not None

    flip.__name__ = f"flip_{kind}"
    return flip


def _any(target: Target, kind: str) -> Path | None:
    paths = sorted(target.place.glob(KINDS[kind]))
    return target.rng.choice(paths) if paths else None


# These take longer than a lease lives; the others go on meanwhile.
SLOW: tuple[Fault, ...] = (pause_runner, pause_holder, fill_disk)
FAULTS: tuple[Fault, ...] = (
    *(kill_worker, kill_runner, hang_up, delete_lease, shift_lease),
    *(*map(cutting, KINDS), *map(flipping, KINDS), *SLOW),
)

"""The processors of this machine, seen without importing torch."""

import os
from pathlib import Path

from omnibench.cgroups import cpu_quota
from omnibench.errors import RequestError


def usable_cores() -> int:
    """Return how many CPU cores this process may use: those it is bound to, within its quota.

    A quota of 2.5 cores counts as 2, one of less than one as 1: threads wait for each other, and
    one that the quota stops stops all.
    """
    bound = getattr(os, "sched_getaffinity", None)
    cores = (len(bound(0)) if bound else os.cpu_count()) or 1
    quota = cpu_quota()
    return cores if quota is None else max(1, min(cores, int(quota)))


def default_threads() -> int:
    """Return the first number of OMP_NUM_THREADS, else the cores that this process may use."""
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) else usable_cores()


def wait_asleep() -> None:
    """Let OpenMP's threads sleep while they wait for each other, unless the environment says else.

    For torch's own, before it is imported, and for that of processes that are started. Those that
    spin took 3 to 10 times as long on a machine that does something else, too, or has a quota;
    what they compute is the same in every bit.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def best_device() -> str:
    """Return "cuda" where an NVIDIA device is there, else "cpu"."""
    return "cuda" if Path("/dev/nvidiactl").exists() else "cpu"


def visible_gpus() -> int:
    """Return how many NVIDIA devices this process may use."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return len([part for part in chosen.split(",") if part.strip() not in ("", "-1")])
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


def checked_device(name: str) -> str:
    """Return a device that torch can use; for what computes.

    Raises:
        RequestError: torch cannot use it.
    """
    if name == "cpu":
        return name
    import torch

    try:
        kind = torch.device(name).type
        if kind not in ("cpu", "cuda", "mps"):
            raise RuntimeError
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError):
        raise RequestError(
            f"--device: torch cannot use '{name}' on this machine; give --device cpu"
        ) from None
    return name

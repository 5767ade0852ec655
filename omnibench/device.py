"""The processors of this machine, seen without importing torch."""

import os
from pathlib import Path

from omnibench.errors import RequestError


def usable_cores() -> int:
    """Return how many CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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

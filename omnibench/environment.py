"""What a record says of the machine and the software it was made with."""

import functools
import importlib.metadata
import platform
import resource
import sys
from pathlib import Path
from typing import Any

from omnibench.context import Context

PACKAGES = ("omnibench", "torch", "timm", "transformers", "numpy")


def describe(context: Context) -> dict[str, Any]:
    """Versions, processor, device and threads."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()}-{platform.machine()}",
        "packages": _versions(),
        "device": _device_name(context.device),
        "threads": context.threads,
    }


def peak_memory_mb(device: str) -> float:
    """Peak memory of this process so far: the device's where it has its own, else resident."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


@functools.cache
def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


@functools.cache
def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        import torch

        return f"{device}: {torch.cuda.get_device_name(device)}"
    if device == "cpu" and platform.system() == "Linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return f"cpu: {line.partition(':')[2].strip()}"
    return device

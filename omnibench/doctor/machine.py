"""The machine: its GPU, its cores, its folders."""

import os
from collections.abc import Iterator
from pathlib import Path

from omnibench.device import best_device, usable_cores
from omnibench.errors import RequestError
from omnibench.findings import Finding
from omnibench.recipe import native_precision
from omnibench.store import check_writable

# Ampere: the first NVIDIA GPUs that multiply bf16 natively.
BF16_CAPABILITY = 8


def device() -> Finding:
    """Return the device that `auto` takes; torch is asked only where there is an NVIDIA device."""
    cores, all_cores = usable_cores(), os.cpu_count() or 1
    counted = f"{cores} cores" if cores == all_cores else f"{cores} of {all_cores} cores"
    if best_device() == "cpu":
        return Finding(
            "device",
            "WARN",
            f"cpu, {counted}, {native_precision('cpu')} is native; no NVIDIA GPU",
            "frozen probes are quick on a CPU; full training wants a GPU",
        )
    import torch

    if not torch.cuda.is_available():
        return Finding(
            "device",
            "FAIL",
            f"an NVIDIA GPU is there, but torch {torch.__version__} cannot use it",
            "install a driver that fits torch, or a torch built for CUDA; --device cpu goes on "
            "without",
        )
    facts = torch.cuda.get_device_properties(0)
    message = (
        f"{torch.cuda.device_count()} x {facts.name}, {facts.total_memory / 1e9:.0f} GB, {counted}"
    )
    if facts.major < BF16_CAPABILITY:
        return Finding("device", "WARN", f"{message}; no native bf16", "recipe: {precision: fp32}")
    return Finding("device", "PASS", message)


def folders(results: Path, data: Path) -> Iterator[Finding]:
    """Yield whether both can be written."""
    for name, folder in (("results", results), ("data", data)):
        try:
            check_writable(folder)
        except RequestError as error:
            yield Finding(f"folder {name}", "FAIL", str(error), f"--{name} DIR")
        else:
            yield Finding(f"folder {name}", "PASS", f"{folder} is writable")

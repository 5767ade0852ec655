"""Measure packing and reading of images of OrganAMNIST's shape at 224 pixels."""

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import Measure

SPLITS = {"train": 34561, "val": 6491, "test": 17778}
SIDE, CLASSES, BLOCK = 224, 11, 512
CHILD = """
import sys, time
from pathlib import Path
from omnibench.data.npz import card_of
from omnibench.data.sources import load
began = time.perf_counter()
dataset = load(card_of(Path(sys.argv[1])), Path(sys.argv[2]))
packed = time.perf_counter() - began
began = time.perf_counter()
total = 0
for split in dataset.splits.values():
    for start in range(0, len(split), 64):
        total += split.images.read(start, min(start + 64, len(split))).nbytes
seconds = time.perf_counter() - began
# Of this process alone: getrusage would count what its parent held before the exec.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(packed, total / seconds / 1e9, int(peak.split()[1]) / 2**20)
"""


def measure(device: str) -> Iterator[Measure]:
    """Yield packing time, reading rate and peak memory of a fresh process, cold and warm."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "organ-like.npz"
        _organamnist_like(path)
        for state in ("first", "second"):
            command = [sys.executable, "-c", CHILD, str(path), folder]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            opened, rate, memory = (float(word) for word in output.split())
            yield Measure("packing", f"58,830 images at 224 px, {state} opening", opened, "s")
            yield Measure("packing", f"reading them, {state} time", rate, "GB/s")
            yield Measure("packing", f"peak memory, {state} time", memory, "GiB", None, "<= 2")


def _organamnist_like(path: Path) -> None:
    """Write an npz of that shape, block by block: 2.95 GB of uint8 when unpacked."""
    rng = np.random.default_rng(0)
    block = np.repeat(rng.integers(0, 256, (BLOCK, SIDE, SIDE // 8), np.uint8), 8, axis=2)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for split, count in SPLITS.items():
            with archive.open(f"{split}_images.npy", "w", force_zip64=True) as file:
                header = {"descr": "|u1", "fortran_order": False, "shape": (count, SIDE, SIDE)}
                np.lib.format.write_array_header_1_0(file, header)
                for start in range(0, count, BLOCK):
                    file.write(block[: min(BLOCK, count - start)].tobytes())
            with archive.open(f"{split}_labels.npy", "w") as file:
                np.lib.format.write_array(file, np.arange(count)[:, None] % CLASSES)

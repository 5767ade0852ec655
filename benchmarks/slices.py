"""Measure a pass over the slices of a CT: read, windowed and resized, on one core."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import Measure
from omnibench.data.volume_images import PackedSeries, VolumeImages, pack_values

SLICES, LONGER, SIDE, SIZE = 200, 800, 512, 224
STEP = 64  # slices that are asked for at a time, as of a micro-batch
WINDOW = (40.0, 400.0)
READING = """
import sys
from pathlib import Path
from benchmarks.slices import images_in, read_all
read_all(images_in(Path(sys.argv[1]), int(sys.argv[2])))
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) / 1024)
"""


def measure(device: str) -> Iterator[Measure]:
    """Yield slices a second of a core's time, and the memory of a longer series."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images, seconds = images_in(folder, SLICES), []
        for _ in range(5):
            began = time.process_time()
            read_all(images)
            seconds.append(time.process_time() - began)
        what = f"a CT of {SIDE} px and 16 bits to {SIZE} px"
        yield Measure("slices", what, SLICES / min(seconds), "slices/s", bound=">= 300")
        images_in(folder, LONGER)
        peaks = [_peak(folder, slices) for slices in (SLICES, LONGER)]
        yield Measure("slices", f"peak memory of {SLICES} slices", peaks[0], "MB")
        what = f"peak memory of {LONGER} slices, against {SLICES}"
        yield Measure("slices", what, peaks[1], "MB", peaks[1] / peaks[0], "<= 1.1")


def images_in(folder: Path, slices: int) -> VolumeImages:
    """Return the slices of a series as of CT, which is made where it is not there."""

    def load() -> NDArray[Any]:
        rng = np.random.default_rng(0)
        return rng.integers(-1000, 2000, (slices, SIDE, SIDE), np.int16)

    pack = pack_values(folder / str(slices), (slices, SIDE, SIDE), "<i2", load, "a CT")
    return VolumeImages((PackedSeries(pack, "<i2"),), (SIDE, SIDE), WINDOW).at(SIZE)


def read_all(images: VolumeImages) -> None:
    """Read every slice, some at a time."""
    for start in range(0, images.shape[0], STEP):
        images.read(start, start + STEP)


def _peak(folder: Path, slices: int) -> float:
    """Return the peak memory in MB of a process that reads a series which is there."""
    command = [sys.executable, "-c", READING, str(folder), str(slices)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(output)

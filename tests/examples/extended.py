"""The suite of extensions that the tests of the examples share, and its images."""

import csv
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SUITE = """
name: extended
repetitions: 2
backbones: [{id: vit, source: "random:test_vit"}]
matrix:
  - task: dense-regression
    datasets: [discs]
    adaptations: [linear, {low-rank-experts: {experts: 2}}]
    recipe: {input_size: 32, epochs: 2, batch: 8, precision: fp32}
  - task: classification
    datasets: ["pgm:images"]
    adaptations: [linear, low-rank-experts]
    repetitions: 1
    recipe: {input_size: 32, epochs: 1, batch: 8, precision: fp32}
"""


@dataclass(frozen=True)
class Extended:
    """A suite of extensions, and what the commands printed of it.

    Attributes:
        folder: where commands run; it holds the suite, `extended.yaml`, and its results.
        variables: the environment of a process that has the examples installed.
    """

    folder: Path
    variables: Mapping[str, str]
    planned: str = ""
    ran: str = ""
    reported: str = ""

    @property
    def results(self) -> Path:
        """Return the results folder."""
        return self.folder / "results"

    def start(self, *arguments: object) -> "subprocess.Popen[str]":
        """Start a command in a group of processes of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "omnibench", *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, **self.variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def bench(self, *arguments: object) -> "subprocess.CompletedProcess[str]":
        """Give a command and wait for its end."""
        process = self.start(*arguments)
        out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def write_pgm(folder: Path) -> None:
    """Write images that their label brightens, and the table that the reader asks for."""
    random = np.random.default_rng(0)
    folder.mkdir()
    with (folder / "labels.csv").open("w", newline="") as table:
        rows = csv.writer(table)
        rows.writerow(["file", "split", "label", "patient"])
        for split, count in (("train", 16), ("val", 8), ("test", 12)):
            for index in range(count):
                pixels = random.integers(0, 100, (16, 16)) + 90 * (index % 2)
                name = f"{split}-{index}.pgm"
                Image.fromarray(pixels.astype(np.uint8)).save(folder / name)
                rows.writerow([name, split, ("dark", "bright")[index % 2], f"{split}-{index // 4}"])

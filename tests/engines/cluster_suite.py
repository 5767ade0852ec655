"""A suite for engines of clusters: a pretraining, what needs it, and what does not."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

SUITE = """
name: cluster
repetitions: 2
backbones:
  - {id: control, source: 'random:test_vit', pool: cls}
  - id: mine
    pretrain:
      architecture: test_vit
      dataset: 'npz:two.npz'
      recipe: {input_size: 32, load_size: 40, epochs: %d, batch: 8, micro_batch: 4,
               prototypes: 16, hidden: 16, bottleneck: 8, log_steps: 2, precision: fp32}
matrix:
  - {task: classification, datasets: ['npz:two.npz'], adaptations: [linear],
     recipe: {input_size: 32, precision: fp32, epochs: 5}}
report: {baseline: control}
"""
PRETRAINING = "pretraining/npz-two/test_vit/dinov2-global"
CELLS = 5


def write_suite(folder: Path, epochs: int) -> Path:
    """The suite's file beside its images; a pretraining of so many epochs of 12 steps."""
    rng = np.random.default_rng(0)
    arrays = dict[str, Any]()
    for split in ("train", "val", "test"):
        labels = np.arange(96) % 2
        images = rng.integers(0, 120, (96, 16, 16)) + 40 * labels[:, None, None]
        arrays |= {f"{split}_images": images.astype(np.uint8), f"{split}_labels": labels[:, None]}
    np.savez(folder / "two.npz", **arrays)
    path = folder / "cluster.yaml"
    path.write_text(SUITE % epochs)
    return path


def command(name: str, suite: Path, place: str, *options: object) -> list[str]:
    """A command on the suite, with results and data in a place of their own."""
    folder = suite.parent / place
    return [
        *(sys.executable, "-m", "omnibench", name, str(suite)),
        *("--results", str(folder / "results"), "--data", str(folder / "data")),
        *map(str, options),
    ]


def run_here(suite: Path, place: str) -> None:
    """The local engine's own run, at one thread, as a job's or task's is."""
    here = ["taskset", "--cpu-list", str(min(os.sched_getaffinity(0)))]
    subprocess.run([*here, *command("run", suite, place)], check=True, capture_output=True)


def metrics(folder: Path) -> dict[str, Any]:
    """Status and metrics of every record, by digest."""
    records = [json.loads(path.read_text()) for path in folder.rglob("rep-*.json")]
    return {record["digest"]: (record["status"], record["metrics"]) for record in records}

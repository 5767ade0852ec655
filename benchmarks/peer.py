"""Measure pretraining by DINOv2 as a whole, ours against lightly-train's, from the command on.

Both train ViT-S/14 from random weights on the same image files: two global crops of 224 px in
batches of 8, two heads of 131072 prototypes, Sinkhorn-Knopp, stochastic depth, bf16 autocast, the
same rates. Each run is a process of its own; the two take turns. What a run of more epochs takes
beyond a shorter one is steps; the rest of it is start and end.

lightly-train stands in an environment of its own, since its packages are not ours. Its crops are
colour images, made by workers of none; ours are grey, made a batch at a time.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import Measure
from omnibench.device import default_threads
from omnibench.errors import RequestError

VERSION = "0.18.0"
VENV = Path(__file__).resolve().parents[1] / "build" / "peer-venv"
PYTHON = VENV / "bin" / "python"
INSTALL = f"uv venv {VENV} && uv pip install --python {PYTHON} lightly-train=={VERSION}"
IMAGES, BATCH, SIDE = 48, 8, 256  # of the pool
EPOCHS = (2, 6)
ROUNDS = 2
STEPS = IMAGES // BATCH  # of an epoch; losses are shown as means over the last one
SUITE = """
name: peer
backbones:
  - id: mine
    pretrain:
      method: dinov2-global
      architecture: vit_small_patch14_dinov2
      dataset: "images:{images}"
      recipe: {{base: omnirad, batch: {batch}, epochs: {epochs}, warmup_epochs: 0,
        teacher_warmup_epochs: 0, frozen_last_layer_epochs: 0, log_steps: {steps},
        stop_on_collapse: false}}
matrix:
  - {{task: classification, datasets: [phantom-easy], adaptations: [linear]}}
"""
PEER = """
import sys
import lightly_train

images, out, epochs, batch, device = sys.argv[1:]
lightly_train.pretrain(
    out=out,
    data=images,
    model="dinov2/vits14-noreg-notpretrained",
    model_args={"drop_path_rate": 0.3},
    method="dinov2",
    method_args={
        "ibot_separate_head": True,
        "output_dim": 131072,
        "center_method": "sinkhorn_knopp",
        "momentum_start": 0.994,
        "weight_decay_end": 0.2,
        "teacher_temp_warmup_steps": 0,
        "student_freeze_last_layer_steps": 0,
        "warmup_steps": 0,
    },
    transform_args={"local_view": None},
    optim_args={"lr": 2e-4},
    epochs=int(epochs),
    batch_size=int(batch),
    num_workers=0,
    devices=1,
    accelerator=device,
    precision="bf16-mixed",
    loggers={"tensorboard": None},
    trainer_args={"log_every_n_steps": 1},
)
"""


@dataclass(frozen=True)
class Run:
    """What a whole run took: seconds, peak memory in GiB, and the mean loss of its last epoch."""

    seconds: float
    memory: float
    loss: float


def measure(device: str) -> Iterator[Measure]:
    """Yield the rates of steps and of whole runs, the time around steps, memory and losses.

    Raises:
        RequestError: lightly-train is not there, or a run failed.
    """
    if not PYTHON.is_file():
        raise RequestError(f"{PYTHON} is absent; run `{INSTALL}`")
    runs: dict[tuple[str, int], list[Run]] = {}
    ways = {"lightly-train": _peer, "ours": _ours}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_images(folder / "images")
        order = [("ours", EPOCHS[0]), ("lightly-train", EPOCHS[0])]
        order += [("lightly-train", EPOCHS[1]), ("ours", EPOCHS[1])]
        for turn in range(ROUNDS):
            for way, epochs in order[:: -1 if turn % 2 else 1]:
                out = folder / f"{way}-{epochs}-{turn}"
                run = ways[way](folder / "images", out, epochs, device)
                runs.setdefault((way, epochs), []).append(run)
    yield from _figures(runs)


def _figures(runs: dict[tuple[str, int], list[Run]]) -> Iterator[Measure]:
    """Yield what runs of few and of many epochs say of each way, and of ours against the other.

    Raises:
        RequestError: the machine was too busy to tell.
    """
    few, many = EPOCHS
    rates: dict[str, tuple[float, float]] = {}
    for way in ("lightly-train", "ours"):
        short, long = (min(run.seconds for run in runs[way, epochs]) for epochs in EPOCHS)
        if long <= short:
            raise RequestError(
                f"{way}: {many} epochs took no longer than {few}, so that the machine's other work "
                "was measured; run this part again when it is idle"
            )
        step = (many - few) * IMAGES / (long - short)
        rates[way] = (step, many * IMAGES / long)
        against = rates["lightly-train"]
        ratios = (
            (None, None)
            if way != "ours"
            else tuple(own / other for own, other in zip(rates[way], against, strict=True))
        )
        yield Measure("peer", f"steps, {way}", step, "images/s", ratios[0])
        yield Measure("peer", f"run of {many} epochs, {way}", rates[way][1], "images/s", ratios[1])
        yield Measure("peer", f"around the steps, {way}", short - few * IMAGES / step, "s")
        longest = runs[way, many]
        yield Measure("peer", f"peak memory, {way}", max(run.memory for run in longest), "GiB")
        loss = statistics.mean(run.loss for run in longest)
        yield Measure("peer", f"loss of the last epoch, {way}", loss, "nats")


def _write_images(folder: Path) -> None:
    """Write the images of the pool as files."""
    from PIL import Image

    from omnibench.data.phantom.reader import generate

    folder.mkdir()
    for number, pixels in enumerate(generate("train", IMAGES, SIDE).images.read(0, IMAGES)):
        Image.fromarray(pixels).save(folder / f"{number:04}.png")


def _ours(images: Path, out: Path, epochs: int, device: str) -> Run:
    out.mkdir()
    suite = out / "peer.yaml"
    suite.write_text(
        SUITE.format(images=images, batch=BATCH, steps=STEPS, epochs=epochs), encoding="utf-8"
    )
    command = [sys.executable, "-m", "omnibench", "run", str(suite), "--tasks", "pretraining"]
    seconds, memory = _timed([*command, "--device", device, "--results", str(out / "results")])
    [log] = (out / "results").rglob("*.steps.jsonl")
    return Run(seconds, memory, _lines(log)[-1]["loss"])


def _peer(images: Path, out: Path, epochs: int, device: str) -> Run:
    arguments = [str(images), str(out), str(epochs), str(BATCH), device.partition(":")[0]]
    seconds, memory = _timed([str(PYTHON), "-c", PEER, *arguments])
    losses = [line["train_loss"] for line in _lines(out / "metrics.jsonl") if "train_loss" in line]
    return Run(seconds, memory, statistics.mean(losses[-STEPS:]))


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _timed(command: list[str]) -> tuple[float, float]:
    """Return the seconds and the peak memory in GiB of a command.

    Raises:
        RequestError: it failed, with the end of what it printed.
    """
    threads = str(default_threads())
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            env={**os.environ, "OMP_NUM_THREADS": threads, "LIGHTLY_TRAIN_EVENTS_DISABLED": "1"},
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            end = output.read().decode(errors="replace").strip().splitlines()[-1:]
            raise RequestError(f"{' '.join(command)[:200]} failed: {''.join(end)}")
    return seconds, usage.ru_maxrss / 2**20

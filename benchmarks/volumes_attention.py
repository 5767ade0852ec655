"""Measure attention over slices: 1,000 studies x 64 slices x 384, 5 repetitions x 7 rates."""

import time
from collections.abc import Iterator

import numpy as np
import torch

from benchmarks import Measure
from omnibench.tasks.volumes.attention import Heads, Studies, train_heads
from omnibench.tasks.volumes.bags import Layout, with_absent
from omnibench.tasks.volumes.recipes import PROBE

STUDIES, SLICES, WIDTH, CLASSES, REPETITIONS = 1000, 64, 384, 2, 5
EPOCHS, ROUNDS = 2, 5  # timed; the recipe has more epochs


def measure(device: str) -> Iterator[Measure]:
    """Yield what every repetition takes against one alone, and the share of predictions."""
    studies = _studies(device)
    seconds: dict[int, float] = {}
    heads: dict[int, Heads] = {}
    for turn in range(ROUNDS):  # in turn, so that they share the machine's load
        for repetitions in (1, REPETITIONS)[:: -1 if turn % 2 else 1]:
            began = time.perf_counter()
            heads[repetitions] = _trained(studies, repetitions)
            spent = time.perf_counter() - began
            seconds[repetitions] = min(seconds.get(repetitions, spent), spent)
    alone, every = (seconds[count] / EPOCHS for count in (1, REPETITIONS))
    what, rates = f"{STUDIES:,} studies x {SLICES} slices x {WIDTH}, an epoch of", len(PROBE.rates)
    yield Measure("volumes", f"{what} {rates} rates", alone, "s")
    yield Measure(
        "volumes",
        f"{what} {REPETITIONS} repetitions x {rates} rates, against those",
        every,
        "s",
        every / alone,
        "<= 3",
    )
    began = time.perf_counter()
    for repetition in range(REPETITIONS):
        heads[REPETITIONS].answers(studies.layout, studies.features, repetition)
    answered = time.perf_counter() - began
    yield Measure(
        "volumes",
        f"predictions of as many studies, against {PROBE.epochs} such epochs",
        answered,
        "s",
        answered / (PROBE.epochs * every),
        "<= 0.2",
    )


def _studies(device: str) -> Studies:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(STUDIES * SLICES, WIDTH, generator=generator).to(device)
    rows = np.arange(STUDIES * SLICES).reshape(STUDIES, 1, SLICES)
    labels = torch.randint(0, CLASSES, (STUDIES,), generator=generator)
    targets = torch.eye(CLASSES)[labels].to(device)
    return Studies(Layout(STUDIES * SLICES, rows), with_absent(features), targets)


def _trained(studies: Studies, repetitions: int) -> Heads:
    return train_heads(
        studies,
        PROBE.rates,
        range(repetitions),
        0,
        epochs=EPOCHS,
        batch=PROBE.batch,
        weight_decay=PROBE.weight_decay,
        several=False,
    )

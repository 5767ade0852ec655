"""Measure six label budgets of a frozen probe against one, on PneumoniaMNIST's shape."""

import math
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks import Measure
from benchmarks.probe import npz_of, unit_seconds
from omnibench.cards import BackboneCard
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.npz import card_of
from omnibench.device import default_threads
from omnibench.label_budget import LabelBudget
from omnibench.recipe import resolve_recipe

SPLITS = {"train": 4708, "val": 524, "test": 624}
BUDGETS = ("1%", "5%", "10%", "25%", "50%", "100%")
REPETITIONS, ROUNDS = 5, 5


def measure(device: str) -> Iterator[Measure]:
    """Yield the seconds of all budgets, features computed, against those of all labels alone."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        npz_of(root / "speed.npz", SPLITS)
        adaptation = tasks.get("classification").adaptations["linear"]
        small = {"input_size": 32}  # the pass is none of what is measured
        whole = Unit(
            task="classification",
            dataset=card_of(root / "speed.npz"),
            backbone=BackboneCard(id="speed", source="random:vit_small_patch16_224", pool="cls"),
            adaptation="linear",
            short="linear",
            options={},
            recipe=resolve_recipe(small, adaptation.recipes, "recipe")[1],
            suite_seed=0,
            sources={"dataset": "speed", "backbone": "speed"},
            repetitions=tuple(range(REPETITIONS)),
        )
        units = [
            replace(whole, labels=text, short=whole.short + LabelBudget.from_text(text).suffix)
            for text in BUDGETS
        ]
        context = Context(root / "results", root / "data", device, default_threads(), force=True)
        torch.set_num_threads(context.threads)
        unit_seconds(whole, context)  # the feature pass, and imports
        best = [math.inf] * len(units)
        for _ in range(ROUNDS):  # in turn, so that the machine's load falls out
            best = [min(b, unit_seconds(u, context)) for b, u in zip(best, units, strict=True)]
        every, alone = sum(best), best[-1]
    yield Measure("labels", "a probe of all labels, 5 repetitions, features kept", alone, "s")
    yield Measure(
        "labels", "the same of six label budgets, against it", every, "s", every / alone, "<= 2"
    )

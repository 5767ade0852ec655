"""Measure the linear probe on BreastMNIST's shape: 5 repetitions x 7 rates x 40 epochs."""

import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks import Measure, best_seconds
from omnibench.cards import BackboneCard
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.npz import card_of
from omnibench.data.sources import load
from omnibench.device import default_threads
from omnibench.encoders.build import load_encoder
from omnibench.encoders.forward import forward_rows, micro_batch
from omnibench.execute import execute_unit
from omnibench.recipe import resolve_recipe
from omnibench.tasks.classification import linear

SPLITS = {"train": 546, "val": 78, "test": 156}
WIDTH, CLASSES, REPETITIONS, EPOCHS, BATCH = 384, 2, 5, 40, 128
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)


def measure(device: str) -> Iterator[Measure]:
    """Yield the heads' cost, and a unit's cold and warm."""
    yield from _heads(device)
    yield from _unit(device)


def _heads(device: str) -> Iterator[Measure]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(SPLITS["train"], WIDTH, generator=generator).to(device)
    labels = torch.randint(0, CLASSES, (SPLITS["train"],), generator=generator)
    targets = torch.eye(CLASSES)[labels].to(device)

    def ours(rates: tuple[float, ...], repetitions: int) -> float:
        seeds = [linear.Seeds(k, k) for k in range(repetitions)]
        return best_seconds(
            lambda: linear.train_heads(
                features, targets, rates, seeds, epochs=EPOCHS, batch=BATCH, weight_decay=0.01
            )
        )

    plain = best_seconds(lambda: _plain_head(features, labels.to(device)))
    alone, every = ours(RATES[:1], 1), ours(RATES, REPETITIONS)
    yield Measure("probe", "one head, plain PyTorch (nn.Linear, AdamW)", 1e3 * plain, "ms")
    yield Measure("probe", "one head, our own code", 1e3 * alone, "ms")
    for name, reference in (("plain PyTorch", plain), ("our own code", alone)):
        yield Measure(
            "probe",
            f"35 heads in one pass, against one head in {name}",
            1e3 * every,
            "ms",
            every / reference,
            "<= 2",
        )


def _plain_head(features: torch.Tensor, labels: torch.Tensor) -> None:
    """Train one head as a user writes it: the same epochs, batches and optimiser."""
    head = nn.Linear(WIDTH, CLASSES).to(features.device)
    optimiser = torch.optim.AdamW(head.parameters(), lr=1e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS)
    for _ in range(EPOCHS):
        order = torch.randperm(len(features), device=features.device)
        for start in range(0, len(features), BATCH):
            batch = order[start : start + BATCH]
            loss = nn.functional.cross_entropy(head(features[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()


def _unit(device: str) -> Iterator[Measure]:
    backbone = BackboneCard(id="speed-vit", source="random:vit_small_patch14_dinov2", pool="cls")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        npz_of(root / "speed.npz", SPLITS)
        dataset = card_of(root / "speed.npz")
        adaptation = tasks.get("classification").adaptations["linear"]
        unit = Unit(
            task="classification",
            dataset=dataset,
            backbone=backbone,
            adaptation="linear",
            short="linear",
            options={},
            recipe=resolve_recipe("small", adaptation.recipes, "recipe")[1],
            suite_seed=0,
            sources={"dataset": "speed", "backbone": "speed"},
            repetitions=tuple(range(REPETITIONS)),
        )
        context = Context(root / "results", root / "data", device, default_threads())
        torch.set_num_threads(context.threads)
        loaded = load_encoder(
            backbone,
            dict(unit.at_precision(context.precision).recipe),
            device,
            context.data,
            context.results,
        )
        splits = load(dataset, context.data).splits
        began = time.perf_counter()
        for split in splits.values():
            forward_rows(split.images, 0, len(split), micro_batch(device), loaded.encoder.embed)
        one_pass = time.perf_counter() - began
        cold = unit_seconds(unit, context)
        warm = unit_seconds(unit, context)
    yield Measure("probe", "one feature pass", one_pass, "s")
    yield Measure(
        "probe", "unit, cold, against one feature pass", cold, "s", cold / one_pass, "<= 1.15"
    )
    yield Measure("probe", "unit, warm (after imports)", warm, "s", None, "<= 3")


def unit_seconds(unit: Unit, context: Context) -> float:
    """Return what a unit takes.

    Raises:
        RuntimeError: one of its cells failed.
    """
    began = time.perf_counter()
    finished = execute_unit(unit, context)
    failed = [message for message in finished.repetitions.values() if message is not None]
    if failed:
        raise RuntimeError(failed[0])
    return time.perf_counter() - began


def npz_of(path: Path, splits: Mapping[str, int]) -> None:
    """Write an array file of random images at 28 px, so many a split."""
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {}
    for split, count in splits.items():
        arrays[f"{split}_images"] = rng.integers(0, 256, (count, 28, 28), np.uint8)
        arrays[f"{split}_labels"] = np.arange(count)[:, None] % CLASSES
    np.savez_compressed(path, allow_pickle=False, **arrays)

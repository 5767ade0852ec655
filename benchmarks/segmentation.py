"""Measure segmentation with ViT-S/14 at 448 pixels: stored maps against the released way.

The released way runs the backbone in fp32 for every image, epoch and repetition, joins its maps
and the prior by concatenation, and trains the decoder in fp32 with an unfused optimiser; its
images and masks are handed to it ready made. Both keep the prior frozen.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import Measure, best_seconds, image_rates
from benchmarks.steps import stepper
from omnibench.cards import BackboneCard
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import ArrayImages, Dataset, Masks, Split
from omnibench.data.label_subset import Subset
from omnibench.data.reader import local_card
from omnibench.device import default_threads
from omnibench.encoders.build import load_encoder
from omnibench.encoders.maps import unit_maps
from omnibench.tasks.segmentation.cases import Cases
from omnibench.tasks.segmentation.heads import UNet
from omnibench.tasks.segmentation.on_maps import on_frozen
from omnibench.tasks.segmentation.recipes import OMNIRAD
from omnibench.tasks.segmentation.trial import SegmentationTrial

CARD = BackboneCard(id="speed", source="random:vit_small_patch14_dinov2", pool="cls")
SIZE, BATCH, STEPS = 448, 8, 2


def measure(device: str) -> Iterator[Measure]:
    """Yield training and evaluation, ours against released, and the cost of keeping maps."""
    torch.set_num_threads(default_threads())
    with tempfile.TemporaryDirectory() as folder:
        context = Context(Path(folder), Path(folder), device)
        ours = _Ours(context)
        released = _Released(ours, context)

        rates = image_rates(
            {
                "step, released": released.step,
                "step, ours": ours.step,
                "step, in memory": ours.step_alone,
                "evaluation, released": released.evaluate,
                "evaluation, ours": ours.evaluate,
            },
            BATCH,
            STEPS,
            device,
        )
        for name, what, bound in (
            ("step", "training step", ">= 2.5"),
            ("evaluation", "evaluation", ">= 4"),
        ):
            slow, fast = rates[f"{name}, released"], rates[f"{name}, ours"]
            yield Measure("segmentation", f"{what}, released way", slow, "images/s")
            yield Measure(
                "segmentation",
                f"{what}, kept maps and autocast, against the released way",
                fast,
                "images/s",
                fast / slow,
                bound,
            )
        stored, alone = rates["step, ours"], rates["step, in memory"]
        yield Measure("segmentation", "training step, maps in memory", alone, "images/s")
        yield Measure(
            "segmentation", "a step with kept maps, against maps in memory (time)", 1 / stored,
            "s/image", alone / stored, "<= 1.1",
        )  # fmt: skip
        rows = ours.maps.rows["train"]
        indices = np.random.default_rng(0).permutation(BATCH * STEPS)
        size = rows.read_rows(indices).nbytes
        seconds = best_seconds(lambda: rows.read_rows(indices))
        yield Measure(
            "segmentation", "reading kept maps", size / seconds / 1e9, "GB/s", None, ">= 1"
        )


class _Ours:
    """Train the decoder on stored maps, as the runner does."""

    def __init__(self, context: Context) -> None:
        recipe = OMNIRAD.model_copy(update={"batch": BATCH, "precision": context.precision})
        dataset = _dataset()
        unit = Unit(
            "segmentation", dataset.card, CARD, "decoder", "decoder", {"prior": "frozen"},
            recipe.model_dump(mode="json"), 0, {"dataset": "speed", "backbone": "speed"}, (0,),
        )  # fmt: skip
        self.cases = Cases.from_dataset(dataset, SIZE, "input", None)
        self.maps = unit_maps(unit, self.cases.dataset.splits, context)
        built = on_frozen(unit, self.cases, UNet, context)(Subset.from_dataset(unit, 0, dataset))
        self.model = built.model
        self.trial = SegmentationTrial(built, self.cases, recipe, context.device)
        self.step = stepper(self.trial, context.device, context.results)

    def step_alone(self, index: int) -> None:
        """Run a step with maps that are in memory already."""
        if not hasattr(self, "held"):
            self.held = {
                k: self.model.maps("train", np.arange(k * BATCH, (k + 1) * BATCH), None)
                for k in range(STEPS)
            }
        read, self.model.maps = self.model.maps, lambda split, rows, pixels: self.held[index]
        self.step(index)
        self.model.maps = read

    def evaluate(self, index: int) -> None:
        self.trial.masks("train", np.arange(index * BATCH, (index + 1) * BATCH))


class _Released:
    """Train the same architecture in fp32 behind a backbone that runs every time."""

    def __init__(self, ours: _Ours, context: Context) -> None:
        recipe = {"input_size": SIZE, "normalization": "imagenet", "precision": "fp32"}
        self.encoder: Any = load_encoder(
            CARD, recipe, context.device, context.data, context.results
        ).encoder
        head = UNet(ours.maps.shapes, True, ours.cases.classes, "frozen")
        for index, fusion in enumerate(head.pyramid.fusions):
            head.pyramid.fusions[index] = _Concatenation(fusion)
        self.head = head.to(context.device).to(memory_format=torch.contiguous_format)
        self.trained = [p for p in self.head.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(self.trained, lr=1e-4, foreach=False)
        rows = np.arange(BATCH * STEPS)
        self.images = torch.from_numpy(ours.cases.dataset.splits["train"].images.read_rows(rows))
        self.masks = torch.from_numpy(ours.cases.masks("train", rows)).long().to(context.device)

    def logits(self, index: int) -> tuple[Tensor, Tensor]:
        part = slice(index * BATCH, (index + 1) * BATCH)
        with torch.no_grad():
            pixels = self.encoder.preprocess(self.images[part])
            maps = self.encoder.intermediates(pixels, (3, 7, 11))
        return _enlarged(self.head(pixels, maps)), self.masks[part]

    def step(self, index: int) -> None:
        self.head.train()
        loss = functional.cross_entropy(*self.logits(index))
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()

    def evaluate(self, index: int) -> None:
        self.head.eval()
        with torch.no_grad():
            self.logits(index)[0].argmax(dim=1)


class _Concatenation(nn.Module):
    """Fuse as the study words it: both maps enlarged, concatenated, projected, normed."""

    def __init__(self, fusion: Any) -> None:
        super().__init__()
        self.project, self.norm = fusion.project, fusion.norm

    def forward(
        self, backbone: Tensor, prior: Tensor, fused: tuple[int, int], size: tuple[int, int]
    ) -> Tensor:
        joint = torch.cat([_enlarged(backbone, fused), _enlarged(prior, fused)], dim=1)
        return _enlarged(self.norm(self.project(joint)), size)


def _enlarged(maps: Tensor, size: tuple[int, int] = (SIZE, SIZE)) -> Tensor:
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def _dataset() -> Dataset:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCH * STEPS, SIZE, SIZE), np.uint8)
    masks = Masks(ArrayImages((images > 127).astype(np.uint8)))
    split = Split(ArrayImages(images), {"masks": masks})
    return Dataset(local_card("npz", Path("speed.npz")), {"train": split, "val": split})

"""A repetition of segmentation: its model, its loss, the masks it predicts, and their picture."""

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from omnibench.adapt.trainable import attach, groups_of
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.declaration import VOID
from omnibench.data.label_subset import Subset
from omnibench.data.sources import load_once
from omnibench.encoders import MapEncoder
from omnibench.encoders.build import LoadedTrainable, load_trainable
from omnibench.encoders.levels import levels_of
from omnibench.encoders.maps import unit_maps
from omnibench.encoders.preprocess import Preprocess
from omnibench.errors import RequestError
from omnibench.registry import import_attribute
from omnibench.task import Adaptation, Predictions
from omnibench.training.flops import Flops, counted, trained_flops
from omnibench.training.job import Batch
from omnibench.training.loop import Fitted
from omnibench.training.precision import autocast
from omnibench.training.trial import Trial
from omnibench.views import Corrupted

from . import UNET, OnFrozenMaps, samples
from .cases import Cases
from .heads import Head
from .layers import resize
from .metrics import miou
from .overlay import overlay_sheet
from .recipes import SegmentationRecipe
from .segmenter import Segmenter, kept, live

BATCH = 8  # of an evaluation


@dataclass(frozen=True)
class Built:
    """A model and what there is to record of its backbone.

    Attributes:
        loaded: the backbone where it is trained.
    """

    model: Segmenter
    facts: Mapping[str, Any]
    cost: Mapping[str, Any]
    digest: str
    loaded: LoadedTrainable | None = None


def prepare(unit: Unit, context: Context, adaptation: Adaptation) -> Callable[[int], Trial]:
    """Read the cases and, of a frozen backbone, keep its maps; return what makes a trial."""
    recipe = SegmentationRecipe.model_validate(unit.recipe)
    dataset = load_once(unit.dataset, context.data, unit.sources["dataset"], recipe.input_size)
    views = [view for view in unit.views if isinstance(view, Corrupted)]
    cases = Cases.from_dataset(dataset, recipe.input_size, recipe.score_at, recipe.limit, views)
    cases = replace(cases, shape=recipe.shape, keep_masks=recipe.keep_masks)
    frozen = isinstance(adaptation, OnFrozenMaps)
    head: type[Head] = import_attribute(
        adaptation.head if isinstance(adaptation, OnFrozenMaps) else UNET
    )
    head.check(unit)
    began = time.perf_counter()
    build = (
        on_frozen(unit, cases, head, context)
        if frozen
        else lambda subset: _on_trained(unit, cases.of(subset), head, adaptation, context)
    )
    phases = {"features": time.perf_counter() - began}

    def trial(repetition: int) -> Trial:
        subset = Subset.from_dataset(unit, repetition, cases.dataset)
        own = cases.of(subset)
        made = SegmentationTrial(build(subset), own, recipe, context.device, phases)
        made.subset = subset
        return made

    return trial


def on_frozen(
    unit: Unit, cases: Cases, head: type[Head], context: Context
) -> Callable[[Subset], Built]:
    """Return what builds a head on the maps of a frozen backbone, which are computed here, once."""
    maps = unit_maps(unit, cases.dataset.splits, context)
    facts = maps.made.facts
    size, mean, std = unit.recipe["input_size"], tuple(facts["mean"]), tuple(facts["std"])
    pixels = Preprocess(size, mean, std, torch.device(context.device), torch.float32)

    @functools.lru_cache(maxsize=1)
    def of_all() -> Callable[[], Head]:
        return head.on_kept(maps, cases, unit.options)

    def build(subset: Subset) -> Built:
        own = cases.of(subset)
        if own is cases:
            model = Segmenter(cases.dataset, of_all()(), pixels, kept(maps, context.device))
        else:
            left = maps.of(subset)
            make = head.on_kept(left, own, unit.options)
            model = Segmenter(own.dataset, make(), pixels, kept(left, context.device))
        return Built(model.to(context.device), facts, maps.made.cost(), facts["digest"])

    return build


def _on_trained(
    unit: Unit, cases: Cases, head: type[Head], adaptation: Adaptation, context: Context
) -> Built:
    """Build a head on the maps of a backbone that takes part in the training."""
    loaded = load_trainable(unit, context, "fp32")
    encoder = loaded.encoder
    if not isinstance(encoder, MapEncoder):
        raise RequestError(
            f"{unit.backbone.id}: its Encoder has no intermediates(pixels, layers), which "
            f"`{adaptation.name}` needs; give it that, or judge it by decoder and linear"
        )
    levels = levels_of(encoder, unit.backbone)
    size = unit.recipe["input_size"]
    with torch.no_grad():
        maps = encoder.maps(torch.zeros(1, size, size, dtype=torch.uint8), levels.layers)
    shapes = [(level.shape[1], level.shape[2], level.shape[3]) for level in maps]
    drawn = head.on_live(shapes, levels.tokens, cases.classes)
    trainable = attach(adaptation, encoder, unit.options)
    model = Segmenter(
        cases.dataset, drawn, encoder.preprocess, live(encoder, levels.layers), trainable
    )
    cost = {"total_parameters": loaded.parameters}
    return Built(model.to(context.device), loaded.facts(), cost, loaded.digest, loaded)


class SegmentationTrial(Trial):
    """Cross-entropy over the pixels of the input size, and predictions in evaluation mode."""

    model: Segmenter
    recipe: SegmentationRecipe
    select = "miou"

    def __init__(
        self,
        built: Built,
        cases: Cases,
        recipe: SegmentationRecipe,
        device: str,
        phases: Mapping[str, float] | None = None,
    ) -> None:
        self.built, self.model, self.cases = built, built.model, cases
        self.loaded = built.loaded
        self.recipe, self.device, self.phases = recipe, device, phases or {}
        self.count = cases.count("train")
        self._counted: tuple[Tensor, int] | None = None  # a whole batch and its pixels of a class

    def set_mode(self) -> None:
        self.model.set_training()

    def job(self) -> Mapping[str, Any]:
        return groups_of(self.model, self.model.trainable)

    def loss(self, batch: Batch) -> Tensor:
        """Return this part's share of the step's mean loss."""
        rows = batch.rows.numpy()
        masks = torch.from_numpy(self.cases.masks("train", rows)).to(self.device)
        side = self.cases.trained
        logits = resize(self.model("train", rows).float(), (side, side))
        total = functional.cross_entropy(logits, masks.long(), reduction="sum", ignore_index=VOID)
        return total / self._pixels(batch)

    def _pixels(self, batch: Batch) -> int:
        """Return how many pixels of the whole batch have a class."""
        if not self.cases.void:
            return len(batch.whole) * self.cases.trained**2
        if self._counted is None or self._counted[0] is not batch.whole:  # for all of its parts
            masks = self.cases.masks("train", batch.whole.numpy())
            self._counted = (batch.whole, max(1, int((masks != VOID).sum())))
        return self._counted[1]

    def validate(self) -> Mapping[str, float]:
        return {"miou": miou(self.cases.counts("val", self.masks))}

    def predict(self) -> Predictions:
        small_masks: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []

        def predicted(split: str, rows: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
            masks = self.masks(split, rows)
            if split == "test":
                truth = self.cases.truth(split, rows)
                small_masks.append((samples.small(masks), samples.small(truth)))
            return masks

        predictions = self.cases.predictions(predicted)
        self.small_masks = [np.concatenate(blocks) for blocks in zip(*small_masks, strict=True)]
        return predictions

    def masks(self, split: str, rows: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
        """Return class indices [H, W] of the images at `rows`, each at its size of scoring."""
        self.model.eval()
        masks: list[NDArray[np.uint8]] = []
        with torch.inference_mode(), autocast(self.recipe.precision, self.device):
            for start in range(0, len(rows), BATCH):
                part = rows[start : start + BATCH]
                # One size for every batch: an image's bits do not depend on how many follow.
                padded = np.concatenate([part, np.repeat(part[:1], BATCH - len(part))])
                logits = self.model(split, padded).float()
                sizes = self.cases.sizes(split, part)
                if len(set(sizes)) == 1:
                    masks.extend(_largest(resize(logits, sizes[0]))[: len(part)])
                    continue
                for own, size in zip(logits.split(1), sizes, strict=False):
                    masks.extend(_largest(resize(own, size)))
        return masks

    def flops(self) -> Flops:
        row, model = np.array([0]), self.model
        trained = model.trainable is not None

        def maps() -> object:
            return model.maps("train", row, model.pixels("train", row))

        with autocast(self.recipe.precision, self.device):
            backbone = counted(model, maps) if trained else 0  # kept maps are read
            whole = counted(model, lambda: model("train", row))
        val, test = self.cases.count("val"), self.cases.count("test")
        return Flops(
            image=trained_flops(backbone, whole - backbone, trained),
            validation=val * whole,
            before=self.built.cost.get("flops", 0),
            after=(val + test) * whole,
        )

    def cost(self, fitted: Fitted) -> Mapping[str, Any]:
        head = sum(p.numel() for p in self.model.head.parameters())
        cost = self.built.cost
        return {**cost, "total_parameters": cost["total_parameters"] + head}

    def digests(self) -> Mapping[str, str]:
        return {**self.cases.dataset.digests, "backbone": self.built.digest}

    def notes(self) -> Mapping[str, Any]:
        classes = list(self.cases.dataset.card.mask_classes)
        return {"backbone": dict(self.built.facts), "mask_classes": classes}

    def files(self, predictions: Predictions) -> Mapping[str, bytes]:
        return {
            "overlay.png": overlay_sheet(self.cases, predictions["test_counts"], self.masks),
            "masks.npz": samples.packed(*self.small_masks),
        }


def _largest(logits: Tensor) -> NDArray[np.uint8]:
    """Return the class of the largest logit, [B, H, W]."""
    classes: NDArray[np.uint8] = logits.argmax(dim=1).to(torch.uint8).cpu().numpy()
    return classes

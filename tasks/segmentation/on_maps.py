"""A repetition of what is trained on a backbone's maps, whatever a pixel is asked for."""

import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from omnibench.adapt.trainable import attach, groups_of
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.label_subset import Subset
from omnibench.encoders import MapEncoder
from omnibench.encoders.build import LoadedTrainable, load_trainable
from omnibench.encoders.levels import levels_of
from omnibench.encoders.maps import unit_maps
from omnibench.encoders.preprocess import Preprocess
from omnibench.errors import RequestError
from omnibench.registry import import_attribute
from omnibench.task import Adaptation
from omnibench.training.flops import Flops, counted, trained_flops
from omnibench.training.loop import Fitted
from omnibench.training.plan import TrainingRecipe
from omnibench.training.precision import autocast
from omnibench.training.trial import Trial

from . import UNET, OnFrozenMaps
from .heads import Head, MapCases
from .segmenter import Rows, Segmenter, kept, live

BATCH = 8  # of an evaluation


Own = TypeVar("Own", bound=MapCases)


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


def trials_on_maps(
    unit: Unit,
    cases: Own,
    adaptation: Adaptation,
    context: Context,
    make: "Callable[[Built, Own, Mapping[str, float]], MapTrial]",
) -> Callable[[int], Trial]:
    """Keep the maps of a frozen backbone; return what makes the trial of a repetition.

    Args:
        make: a trial of a model, the cases that a label budget leaves, and the seconds before it.
    """
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
        made = make(build(subset), cases.of(subset), phases)
        made.subset = subset
        return made

    return trial


def on_frozen(
    unit: Unit, cases: MapCases, head: type[Head], context: Context
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
    unit: Unit, cases: MapCases, head: type[Head], adaptation: Adaptation, context: Context
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
    drawn = head.on_live(shapes, levels.tokens, cases.outputs)
    trainable = attach(adaptation, OfMaps(encoder, levels.layers), unit.options)
    model = Segmenter(
        cases.dataset, drawn, encoder.preprocess, live(encoder, levels.layers), trainable
    )
    cost = {"total_parameters": loaded.parameters}
    return Built(model.to(context.device), loaded.facts(), cost, loaded.digest, loaded)


class OfMaps:
    """A map encoder as an adaptation sees it: its embedding is the mean of its last map.

    So what the maps do not use, such as an EfficientNet's last convolution, takes no part.
    """

    def __init__(self, encoder: MapEncoder, layers: Sequence[int]) -> None:
        self.encoder, self.layers = encoder, layers
        self.module, self.preprocess = encoder.module, encoder.preprocess

    def pooled(self, pixels: Tensor) -> Tensor:
        """Return the mean [B, D] of the last map of prepared pixels [B, 3, S, S]."""
        return self.intermediates(pixels, self.layers)[-1].mean(dim=(2, 3))

    def embed(self, images: Tensor) -> Tensor:
        """Return the mean [B, D] of the last map of images."""
        return self.pooled(self.preprocess(images))

    def tokens(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the encoder's own tokens."""
        return self.encoder.tokens(images)

    def maps(self, images: Tensor, layers: Sequence[int]) -> list[Tensor]:
        """Return the encoder's own maps."""
        return self.encoder.maps(images, layers)

    def intermediates(self, pixels: Tensor, layers: Sequence[int]) -> list[Tensor]:
        """Return the encoder's own maps of prepared pixels."""
        return self.encoder.intermediates(pixels, layers)


class MapTrial(Trial):
    """A head on maps: its modes, its parameters, and what it costs."""

    model: Segmenter
    recipe: TrainingRecipe

    def __init__(
        self,
        built: Built,
        cases: MapCases,
        recipe: TrainingRecipe,
        device: str,
        phases: Mapping[str, float] | None = None,
    ) -> None:
        self.built, self.model, self.cases = built, built.model, cases
        self.loaded = built.loaded
        self.recipe, self.device, self.phases = recipe, device, phases or {}
        self.count = cases.count("train")

    def set_mode(self) -> None:
        self.model.set_training()

    def job(self) -> Mapping[str, Any]:
        return groups_of(self.model, self.model.trainable)

    def logits(self, split: str, rows: Rows) -> Iterator[tuple[Rows, Tensor]]:
        """Yield rows and what the head gives of them, [B, C, h, w], in batches of one size.

        An image's bits must not depend on how many follow: a shorter batch is filled up with its
        first image, and what is given of these stands behind the others.
        """
        self.model.eval()
        with torch.inference_mode(), autocast(self.recipe.precision, self.device):
            for start in range(0, len(rows), BATCH):
                part = rows[start : start + BATCH]
                padded = np.concatenate([part, np.repeat(part[:1], BATCH - len(part))])
                yield part, self.model(split, padded).float()

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

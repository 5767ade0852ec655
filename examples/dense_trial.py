"""A repetition of `dense_regression.py`: its model, its loss, what it predicts, and a picture."""

import io
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

import omnibench
from omnibench import Adaptation, Batch, Context, Dataset, Maps, Predictions, Trainable, Trial, Unit

Rows = np.ndarray[Any, np.dtype[np.int64]]
BATCH, SHOWN = 8, 4  # images of an evaluation's step, and of the picture


class Backbone(NamedTuple):
    """What the head stands on: `read` gives the last map [B, D, h, w] of a split's images."""

    read: Callable[[str, Rows], Tensor]
    digest: str
    trained: Trainable | None = None


def prepare(unit: Unit, context: Context, adaptation: Adaptation) -> Callable[[int], Trial]:
    """Read the images and, of a frozen backbone, its maps, once for all repetitions."""
    data = omnibench.unit_dataset(unit, context)
    if adaptation.attach is None:  # `linear`
        kept = omnibench.unit_maps(unit, data.splits, context)

        def last(split: str, rows: Rows) -> Tensor:
            return kept.read(split, rows)[-1].to(context.device).float()

        frozen = Backbone(last, kept.made.digests()["backbone"])
        return lambda _: DenseTrial(unit, context, data, frozen)
    return lambda _: DenseTrial(unit, context, data, trained(unit, context, data, adaptation))


def trained(unit: Unit, context: Context, data: Dataset, adaptation: Adaptation) -> Backbone:
    """Load the backbone and attach to it what is trained of it."""
    loaded = omnibench.load_trainable(unit, context, "fp32")
    encoder = loaded.encoder
    if not isinstance(encoder, omnibench.MapEncoder):
        raise omnibench.errors.RequestError(f"{unit.backbone.id} trains without maps; use `linear`")
    last = omnibench.levels_of(encoder, unit.backbone).layers[-1:]

    def read(split: str, rows: Rows) -> Tensor:
        images = torch.from_numpy(data.splits[split].images.read_rows(rows))
        return encoder.intermediates(encoder.preprocess(images), last)[0].float()

    trainable = omnibench.attach(adaptation, encoder, unit.options)
    return Backbone(read, loaded.digest, trainable)


class DenseTrial(Trial):
    """A 1x1 convolution under the mean absolute error, at the size of the reference."""

    select, minimise = "mae", True  # of what `validate` returns

    def __init__(self, unit: Unit, context: Context, data: Dataset, backbone: Backbone) -> None:
        self.recipe = omnibench.TrainingRecipe.model_validate(unit.recipe)
        self.data, self.backbone, self.count = data, backbone, len(data.splits["train"])
        self.scale = float(self.maps("train", np.arange(self.count)).max())
        with torch.no_grad():
            width = backbone.read("train", np.array([0])).shape[1]
        self.head = nn.Conv2d(width, 1, kernel_size=1)
        parts = [backbone.trained.module] if backbone.trained else []
        self.model = nn.ModuleList([self.head, *parts]).to(context.device)

    def set_mode(self) -> None:
        self.head.train()
        if self.backbone.trained:
            self.backbone.trained.train()

    def maps(self, split: str, rows: Rows) -> Tensor:
        return torch.from_numpy(self.data.target(split, "maps", Maps).read_rows(rows)[0])

    def both(self, split: str, rows: Rows) -> Tensor:
        """Return prediction and reference, [2, B, H, W], as shares of the largest number."""
        maps = self.maps(split, rows) / self.scale
        coarse = self.head(self.backbone.read(split, rows))
        predicted = functional.interpolate(coarse, maps.shape[1:], mode="bilinear")
        return torch.stack([predicted[:, 0], maps.to(predicted.device)])

    def loss(self, batch: Batch) -> Tensor:
        predicted, maps = self.both("train", batch.rows.numpy())
        share = len(maps) / len(batch.whole)  # the losses of a batch's parts are summed
        return functional.l1_loss(predicted, maps) * share

    @torch.inference_mode()
    def judged(self, split: str) -> Tensor:
        self.model.eval()
        rows = np.arange(len(self.data.splits[split]))
        blocks = np.split(rows, range(BATCH, len(rows), BATCH))
        return torch.cat([self.both(split, block).cpu() for block in blocks], dim=1) * self.scale

    def validate(self) -> Mapping[str, float]:
        return {"mae": float(functional.l1_loss(*self.judged("val")))}

    def predict(self) -> Predictions:
        """Return what is stored; `test_case` and `test_group` are what statistics pair cases by."""
        predicted, maps = self.judged("test").numpy()
        arrays = {"test_errors": np.abs(predicted - maps), "test_case": np.arange(len(maps))}
        groups = self.data.splits["test"].groups
        return arrays if groups is None else {**arrays, "test_group": groups}

    def digests(self) -> Mapping[str, str]:
        return {**self.data.digests, "backbone": self.backbone.digest}

    def files(self, predictions: Predictions) -> Mapping[str, bytes]:
        """Return the picture: a row of references above a row of their errors."""
        errors = predictions["test_errors"][:SHOWN]
        maps = self.maps("test", np.arange(len(errors))).numpy()
        grey = np.clip(255 / self.scale * np.stack([maps, errors]), 0, 255).astype(np.uint8)
        sheet = np.block([list(row) for row in grey]).repeat(4, axis=0).repeat(4, axis=1)
        Image.fromarray(sheet).save(file := io.BytesIO(), "PNG")
        return {"maps.png": file.getvalue()}

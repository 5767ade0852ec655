"""A repetition of `amae`: its studies, its loss, and the backbone that it leaves."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.sources import load_once
from omnibench.data.subset import limited
from omnibench.encoders.build import LoadedTrainable, load_trainable
from omnibench.encoders.coverage import tensors_digest
from omnibench.encoders.leaving import facts_of, require_rebuilt, weights_of
from omnibench.task import Predictions
from omnibench.tasks.contrasts.layouts import Layouts, Rows
from omnibench.tasks.contrasts.network import check_plain
from omnibench.training.job import Batch
from omnibench.training.loop import Fitted
from omnibench.training.precision import autocast
from omnibench.training.random import stream
from omnibench.training.trial import Trial

from .amae import ContrastAutoencoder
from .amae_options import AmaeOptions, AmaeRecipe
from .metrics import KNN
from .watch import effective_rank

BATCH = 16  # studies of a forward pass in evaluation


def prepare(unit: Unit, context: Context) -> Callable[[int], Trial]:
    """Read the studies, and return what makes a repetition's trial."""
    recipe = AmaeRecipe.model_validate(unit.recipe)
    dataset = load_once(unit.dataset, context.data, unit.sources["dataset"], recipe.input_size)
    layouts = Layouts.from_dataset(limited(dataset, recipe.limit))

    def trial(repetition: int) -> Trial:
        loaded = load_trainable(unit, context, "fp32")
        check_plain(loaded.encoder.module, unit.backbone)
        loaded = require_rebuilt(loaded, unit.backbone, recipe.input_size)
        loaded.encoder.module.requires_grad_(True)
        options = AmaeOptions.model_validate(unit.options)
        model = ContrastAutoencoder(loaded.encoder.module, len(layouts.contrasts), options)
        seed = unit.seed("augmentation", repetition)
        model = model.to(context.device)
        return AmaeTrial(model, loaded, layouts, recipe, seed, unit.dataset.id, context.device)

    return trial


class AmaeTrial(Trial):
    """The error of what is hidden, over training studies of whatever contrasts they have.

    Args:
        seed: of the masks, which are the same for every backbone of one patch size.
        dataset: its id.
    """

    model: ContrastAutoencoder
    recipe: AmaeRecipe
    loaded: LoadedTrainable

    def __init__(
        self,
        model: ContrastAutoencoder,
        loaded: LoadedTrainable,
        layouts: Layouts,
        recipe: AmaeRecipe,
        seed: int,
        dataset: str,
        device: str,
    ) -> None:
        self.model, self.loaded, self.layouts = model, loaded, layouts
        self.recipe, self.seed, self.dataset, self.device = recipe, seed, dataset, device
        self.count = len(layouts.rows["train"])

    def loss(self, batch: Batch) -> Tensor:
        """Return this part's share of the step's mean loss over studies."""
        noise = self._noise(len(batch.whole), stream(self.seed, "masks", batch.step))
        losses = [
            losses.sum()
            for losses, _ in self._forward("train", batch.rows.numpy(), noise[batch.places])
        ]
        return torch.stack(losses).sum() / len(batch.whole)

    def validate(self) -> Mapping[str, float]:
        return {"masked-mse": self._validated()[0]}

    def predict(self) -> Predictions:
        error, features = self._validated()
        undefined = np.array([np.nan])
        return {
            "val_loss": np.array([error]),
            "effective_rank": np.array([effective_rank(features)]),
            **dict.fromkeys(KNN, undefined),
        }

    def _validated(self) -> tuple[float, Tensor]:
        """Return the mean loss of the validation studies under masks of their own, and features."""
        self.model.eval()
        rows = np.arange(len(self.layouts.rows["val"]))
        noise = self._noise(len(rows), stream(0, "validation"))
        losses, features = [], []
        with torch.inference_mode(), autocast(self.recipe.precision, self.device):
            for start in range(0, len(rows), BATCH):
                part = rows[start : start + BATCH]
                for own, means in self._forward("val", part, noise[part]):
                    losses.append(own.double())
                    features.append(means)
        return float(torch.cat(losses).mean()), torch.cat(features)

    def _forward(self, split: str, rows: Rows, noise: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield losses and features of the studies that have the same contrasts.

        Args:
            noise: [B, K, N], of all contrasts that there are.
        """
        held = self.layouts.held(split)[rows]
        for pattern in np.unique(held, axis=0):
            own, contrasts = np.flatnonzero((held == pattern).all(axis=1)), np.flatnonzero(pattern)
            images = self.layouts.prepared(
                split, rows[own], contrasts, self.loaded.encoder.preprocess
            )
            drawn = noise[own][:, contrasts].flatten(1).to(self.device)
            yield self.model(images, contrasts.tolist(), drawn)

    def _noise(self, count: int, generator: torch.Generator) -> Tensor:
        shape = (count, len(self.layouts.contrasts), len(self.model.places))
        return torch.rand(shape, generator=generator)

    def cost(self, fitted: Fitted) -> Mapping[str, Any]:
        return {"total_parameters": sum(p.numel() for p in self.model.parameters())}

    def digests(self) -> Mapping[str, str]:
        return {**self.layouts.digests, "weights": tensors_digest(self.loaded.encoder.module)}

    def notes(self) -> Mapping[str, Any]:
        return facts_of(self.loaded, {self.dataset: self.count})

    def files(self, predictions: Predictions) -> Mapping[str, bytes]:
        return {"safetensors": weights_of(self.loaded.encoder.module)}

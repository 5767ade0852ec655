"""What is trained on or in a backbone for classification.

A frozen backbone sees each image once, but for training images that are augmented.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.adapt.layer_decay import layered_groups
from omnibench.adapt.trainable import attach, groups_of
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.label_subset import Subset
from omnibench.data.views import TEST
from omnibench.encoders.build import LoadedTrainable, load_trainable
from omnibench.encoders.forward import forward_rows
from omnibench.task import Adaptation
from omnibench.training.drop_path import DroppedPaths
from omnibench.training.flops import Flops, counted, trained_flops
from omnibench.training.job import Batch
from omnibench.training.loop import Fitted
from omnibench.training.precision import autocast
from omnibench.training.random import stream
from omnibench.training.trial import Trial

from .cases import SELECTIONS, Cases, cases_of
from .classifier import Classifier
from .embeddings import embeddings
from .losses import ClassLoss
from .pixels import TrainingPixels, augmentation_of
from .recipes import TrainedRecipe

BATCH = 32  # of an evaluation


def prepare(unit: Unit, context: Context, adaptation: Adaptation) -> Callable[[int], Trial]:
    """Read the cases, and return what makes a repetition's trial."""
    recipe = TrainedRecipe.model_validate(unit.recipe)
    cases = cases_of(unit, context)
    # A frozen backbone runs in the recipe's precision, a trained one is kept in fp32.
    precision = "fp32" if adaptation.through_backbone else recipe.precision
    size = cases.dataset.splits["train"].images.shape[1:3]
    still = recipe.repeats_images and augmentation_of(recipe).keeps(*size)

    def trial(repetition: int) -> Trial:
        loaded = load_trainable(unit, context, precision)
        # Drawn before anything is attached, so that one repetition's head is the same in all.
        head = Classifier.drawn_head(loaded.encoder, cases.classes, recipe.head_std)
        paths = None
        if recipe.drop_path:
            paths = DroppedPaths(loaded.encoder, recipe.drop_path, loaded.arguments)
        trainable = attach(adaptation, loaded.encoder, unit.options)
        model = Classifier(trainable, head, recipe.dropout).to(context.device)
        seed, subset = unit.seed("augmentation", repetition), cases.subset(unit, repetition)
        frozen = None
        if not adaptation.through_backbone:
            frozen = _embeddings(unit, cases, context, subset, still)
        own = ClassificationTrial(
            model, cases.of(subset), recipe, loaded, context.device, seed, frozen, paths
        )
        own.subset = subset
        return own

    return trial


def _embeddings(
    unit: Unit, cases: Cases, context: Context, subset: Subset, still: bool
) -> dict[str, NDArray[np.float32]]:
    """Return the embeddings of a repetition's images, those of training where they are `still`."""
    rows = {"train": subset.train, "val": subset.val}
    names = ("train", "val", TEST) if still else ("val", TEST)
    arrays = embeddings(unit, cases, context, *names).arrays
    return {name: array[rows[name]] if name in rows else array for name, array in arrays.items()}


class ClassificationTrial(Trial):
    """The loss of a recipe over training images, augmented or embedded before.

    Every draw is made for the whole batch and cut to the part, so that neither micro-batches nor
    processes change it.

    Args:
        seed: of augmentation, mixing, dropout and drop path.
        embeddings: [N, D] of val and test, where the backbone is frozen, and of train where no
            image of it is augmented.
        paths: branches of the backbone that images skip; None for none.
    """

    model: Classifier
    recipe: TrainedRecipe
    loaded: LoadedTrainable

    def __init__(
        self,
        model: Classifier,
        cases: Cases,
        recipe: TrainedRecipe,
        loaded: LoadedTrainable,
        device: str,
        seed: int,
        embeddings: Mapping[str, NDArray[np.float32]] | None = None,
        paths: DroppedPaths | None = None,
    ) -> None:
        recipe = recipe.model_copy(update={"lr": recipe.scaled_lr, "lr_scaling": "none"})
        self.model, self.cases, self.recipe, self.loaded = model, cases, recipe, loaded
        self.device, self.seed, self.embeddings = device, seed, embeddings or {}
        self.paths = paths
        self.select = recipe.select
        self.count = len(cases.labels["train"])
        self.class_loss = ClassLoss(cases.labels["train"], cases.classes, recipe)
        images = cases.dataset.splits["train"].images
        self.pixels = TrainingPixels(images, recipe, loaded, seed)

    def set_mode(self) -> None:
        self.model.set_training()
        if self.paths is not None:
            self.paths.set_training()

    def job(self) -> Mapping[str, Any]:
        recipe, trainable = self.recipe, self.model.trainable
        if recipe.layer_decay is not None:
            rates = recipe.lr, recipe.weight_decay, recipe.layer_decay
            return {"groups": layered_groups(self.model, trainable, *rates)}
        return groups_of(self.model, trainable)

    def loss(self, batch: Batch) -> Tensor:
        """Return this part's share of the step's mean loss."""
        mask = self._dropout_mask(batch)
        if self.cached:
            embedding = self.model.on_embedding(self._embedding("train", batch.rows))
            logits = self.model.classify(embedding, mask)
        else:
            if self.paths is not None:
                self.paths.begin(batch, self.seed)
            logits = self.model(self.pixels(batch), mask)
        return self.class_loss(logits.float(), batch, self.pixels.pairs(batch))

    @property
    def cached(self) -> bool:
        """Whether it trains on embeddings that were made before."""
        return "train" in self.embeddings

    def _embedding(self, split: str, rows: Tensor | slice = slice(None)) -> Tensor:
        embedding: Tensor = torch.from_numpy(self.embeddings[split])[rows]
        return embedding.to(self.device)

    def _dropout_mask(self, batch: Batch) -> Tensor | None:
        if self.model.dropout == 0:
            return None
        draws = torch.rand(
            len(batch.whole), self.model.width, generator=stream(self.seed, "dropout", batch.step)
        )
        mask = (draws[batch.places] >= self.model.dropout).float()
        return mask.to(self.loaded.encoder.preprocess.device)

    def validate(self) -> Mapping[str, float]:
        select = self.recipe.select
        return {select: SELECTIONS[select](self.logits("val"), self.cases.labels["val"])}

    def predict(self) -> Mapping[str, NDArray[Any]]:
        names = ("val", *self.cases.tested)
        return self.cases.predictions({name: self.logits(name) for name in names}) | self._stored()

    def _stored(self) -> dict[str, NDArray[Any]]:
        """Return what the adaptation stores of the embeddings of what is tested."""
        with torch.inference_mode():
            return {
                f"{TEST}_{name}{split.removeprefix(TEST)}": array.float().cpu().numpy()
                for split in self.cases.tested
                if split in self.embeddings
                for name, array in self.model.trainable.stored(self._embedding(split)).items()
            }

    def logits(self, split: str) -> NDArray[np.float32]:
        """Return the logits [N, C] of a split under the model as it is now."""
        self.model.eval()
        if split in self.embeddings:
            with torch.inference_mode():
                embedding = self.model.on_embedding(self._embedding(split))
                return self.model.classify(embedding).float().cpu().numpy()
        images = {**self.cases.dataset.splits, **self.cases.tested}[split].images

        def apply(block: Tensor) -> Tensor:
            logits: Tensor = self.model(self.loaded.encoder.preprocess(block))
            return logits.float()

        # Every image again, in batches of one fixed size.
        with autocast(self.recipe.precision, self.device):
            return forward_rows(images, 0, images.shape[0], BATCH, apply)

    def flops(self) -> Flops:
        size, encoder = self.recipe.input_size, self.loaded.encoder
        through = not self.embeddings
        image = torch.zeros(1, size, size, dtype=torch.uint8)
        with autocast(self.recipe.precision, self.device):
            backbone = counted(self.model, lambda: encoder.embed(image))
            whole = counted(self.model, lambda: self.model(encoder.preprocess(image)))
        head = whole - backbone
        train, val, test = (len(self.cases.labels[name]) for name in ("train", "val", "test"))
        each = whole if through else head
        before = 0 if through else val + test + self.cached * train
        return Flops(
            image=trained_flops(0 if self.cached else backbone, head, through),
            validation=val * each,
            before=before * backbone,
            after=(val + test) * each,
        )

    def cost(self, fitted: Fitted) -> Mapping[str, Any]:
        return {"total_parameters": self.loaded.parameters}

    def digests(self) -> Mapping[str, str]:
        return {**self.cases.digests(), "backbone": self.loaded.digest}

    def notes(self) -> Mapping[str, Any]:
        return {"backbone": self.loaded.facts(), **self.cases.notes()}

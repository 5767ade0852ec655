"""What is trained in steps on studies: on frozen embeddings of slices, or through the backbone."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.adapt.trainable import attach, groups_of
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.images import SubsetImages
from omnibench.data.label_subset import Subset
from omnibench.data.views import TEST
from omnibench.encoders.build import LoadedTrainable, load_trainable
from omnibench.encoders.class_attention import class_attention
from omnibench.encoders.forward import forward_rows
from omnibench.encoders.frozen import UnitFeatures
from omnibench.task import Adaptation, Predictions
from omnibench.tasks.classification.cases import SELECTIONS, Cases, cases_of
from omnibench.tasks.classification.embeddings import embeddings
from omnibench.tasks.classification.losses import ClassLoss
from omnibench.training.flops import Flops, counted, trained_flops
from omnibench.training.job import Batch
from omnibench.training.loop import Fitted
from omnibench.training.precision import autocast
from omnibench.training.trial import Trial

from .bags import Layout, Slices, views_of, with_absent
from .classifier import StudyClassifier
from .fusion import FusionOf
from .heat import heat_sheet
from .recipes import VolumeRecipe
from .studies import WEIGHT, presence, slice_arrays

BATCH = 32  # slices of an evaluation
Rows = NDArray[np.int64]
Embed = Callable[[Tensor, int], Tensor]  # (uint8 images, number of their view) -> [n, D]


def prepare(
    unit: Unit,
    context: Context,
    adaptation: Adaptation,
    fusion_of: FusionOf,
    trial_of: "Callable[..., VolumeTrial]",
) -> Callable[[int], Trial]:
    """Read the studies, and return what makes a repetition's trial."""
    recipe = VolumeRecipe.model_validate(unit.recipe)
    cases = cases_of(unit, context)
    through = adaptation.through_backbone
    if through and recipe.micro_batch is None:
        recipe = recipe.model_copy(update={"micro_batch": 1})
    features = None if through else embeddings(unit, cases, context, *cases.dataset.splits)
    views = views_of(cases.dataset)

    def trial(repetition: int) -> Trial:
        loaded, trainable = None, None
        if adaptation.attach is not None:
            loaded = load_trainable(unit, context, "fp32" if through else recipe.precision)
            options = {**unit.options, "views": len(views)}
            trainable = attach(adaptation, loaded.encoder, options)
        width = features.width if features is not None else _width(loaded)
        fusion = fusion_of(unit.options, width, len(views))
        model = StudyClassifier(trainable, fusion, width, cases.classes).to(context.device)
        subset = cases.subset(unit, repetition)
        where = context.device
        return trial_of(model, cases, subset, recipe, unit.options, where, loaded, features)

    return trial


def _width(loaded: LoadedTrainable | None) -> int:
    from omnibench.adapt.trainable import blank_embedding

    assert loaded is not None
    with torch.no_grad():
        return int(blank_embedding(loaded.encoder).shape[1])


class VolumeTrial(Trial):
    """The loss of a recipe over training studies.

    Args:
        loaded: the backbone, where something is attached to it.
        features: its frozen embeddings of every slice; None where gradients go through it.
    """

    model: StudyClassifier
    recipe: VolumeRecipe
    subset: Subset

    def __init__(
        self,
        model: StudyClassifier,
        cases: Cases,
        subset: Subset,
        recipe: VolumeRecipe,
        options: Mapping[str, Any],
        device: str,
        loaded: LoadedTrainable | None,
        features: UnitFeatures | None,
    ) -> None:
        self.model, self.cases, self.subset, self.recipe = model, cases, subset, recipe
        self.options, self.device = options, device
        self.loaded, self.features = loaded, features
        self.select, self.count = recipe.select, len(subset.train)
        self.class_loss = ClassLoss(cases.labels["train"][subset.train], cases.classes, recipe)
        self.views = views_of(cases.dataset)
        self.layouts = {
            name: Layout.from_split(split, self.views).thinned(recipe.slices)
            for name, split in cases.dataset.splits.items()
        }
        self.embedded = {
            name: with_absent(torch.from_numpy(array).to(device))
            for name, array in (features.arrays if features else {}).items()
        }

    def set_mode(self) -> None:
        self.model.set_training()

    def job(self) -> Mapping[str, Any]:
        return groups_of(self.model, self.model.trainable)

    def loss(self, batch: Batch) -> Tensor:
        """Return this part's share of the step's mean loss."""
        studies = self.subset.train[batch.rows.numpy()]
        return self.label_loss(self.slices("train", studies), batch)

    def label_loss(self, slices: Slices, batch: Batch) -> Tensor:
        """Return the share of a part of the batch's loss on labels, given its studies' slices."""
        return self.class_loss(self.model(slices)[0].float(), batch)

    def slices(self, split: str, studies: Rows) -> Slices:
        """Return the embeddings of some studies' slices, through what is trained of them."""
        layout = self.layouts[split]
        if self.features is not None:
            return self._through_embedding(layout.slices(self.embedded[split], studies))
        return self.embed_bags(split, studies, self.embed)

    def embed_bags(self, split: str, studies: Rows, embed: Embed) -> Slices:
        """Return the embeddings of some studies' slices, a view at a time."""
        rows, images = self.layouts[split].rows[studies], self.cases.dataset.splits[split].images
        there = rows < images.shape[0]
        features = torch.zeros(*there.shape, self.model.width, device=self.device)
        for view in range(len(self.views)):
            own = there[:, view]
            if own.any():
                indices = rows[:, view][own]
                block = torch.from_numpy(np.ascontiguousarray(images.read_rows(indices)))
                features[:, view][torch.from_numpy(own)] = embed(block, view).to(features)
        return Slices(features, torch.from_numpy(there).to(self.device))

    def embed(self, images: Tensor, view: int) -> Tensor:
        """Return the embeddings [n, D] of uint8 images of one view."""
        assert self.loaded is not None
        assert self.model.trainable is not None
        return self.model.trainable.embed(self.loaded.encoder.preprocess(images))

    def _through_embedding(self, slices: Slices) -> Slices:
        """Return slices after what is trained between the frozen embedding and the fusion."""
        if self.model.trainable is None:
            return slices
        return Slices(self.model.on_embedding(slices.features), slices.there)

    def validate(self) -> Mapping[str, float]:
        select = self.recipe.select
        logits = self.answers("val")[0][self.subset.val]
        return {select: SELECTIONS[select](logits, self.cases.labels["val"][self.subset.val])}

    def predict(self) -> Predictions:
        logits, weights = self.answers("test")
        own = {"val": self.answers("val")[0][self.subset.val], "test": logits}
        layout, split = self.layouts["test"], self.cases.dataset.splits["test"]
        return {
            **self.cases.of(self.subset).predictions(own),
            **presence(layout, self.views),
            **({} if weights is None else slice_arrays(layout, split, weights)),
            **self._stored(),
        }

    def _stored(self) -> dict[str, NDArray[Any]]:
        """Return what the adaptation stores of frozen embeddings: of each test study the mean."""
        trainable = self.model.trainable
        if self.features is None or trainable is None:
            return {}
        layout, means = self.layouts[TEST], defaultdict(list)
        with torch.inference_mode():
            for study in range(len(layout.rows)):
                features, there = layout.slices(self.embedded[TEST], np.array([study]))
                for name, values in trainable.stored(features[there]).items():
                    means[name].append(values.float().mean(dim=0).cpu().numpy())
        return {f"{TEST}_{name}": np.stack(rows) for name, rows in means.items()}

    def answers(self, split: str) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Return logits [S, C] of a split, and the weights of slices [S, V, T] where there are.

        Each study is fused by itself, so that its bits are the same alone or in company.
        """
        self.model.eval()
        layout, rows = self.layouts[split], self.embedded.get(split)
        logits, weights = [], np.zeros(layout.rows.shape, np.float32)
        has_weights = True
        with torch.inference_mode(), autocast(self.recipe.precision, self.device):
            if rows is None:
                rows = with_absent(torch.from_numpy(self._embedded(split)).to(self.device))
            for study in range(len(layout.rows)):
                slices = layout.slices(rows, np.array([study]))
                if self.features is not None:
                    slices = self._through_embedding(slices)
                own, fused = self.model(slices)
                logits.append(own.float().cpu().numpy())
                has_weights &= fused.weights is not None
                if fused.weights is not None:
                    part = fused.weights[0].float().cpu().numpy()
                    weights[study, :, : part.shape[1]] = part
        return np.concatenate(logits), weights if has_weights else None

    def files(self, predictions: Predictions) -> Mapping[str, bytes]:
        """Return the heat map, where slices have weights under a backbone that is loaded."""
        if WEIGHT not in predictions or self.loaded is None:
            return {}
        layout = self.layouts["test"]
        return {"heatmap.png": heat_sheet(self.cases, layout, self.views, predictions, self.heat)}

    def heat(self, images: Tensor, view: int) -> Tensor | None:
        """Return what the class token attends to in uint8 images of one view, [n, h, w]."""
        assert self.loaded is not None
        encoder = self.loaded.encoder
        return class_attention(encoder, encoder.preprocess(images))

    def _embedded(self, split: str) -> NDArray[np.float32]:
        """Return the embeddings [N, D] of a split's images that are used, in blocks of one size.

        Blocks go by study, view and place, so that no bit depends on the order of reading.
        """
        layout, images = self.layouts[split], self.cases.dataset.splits[split].images
        rows = np.zeros((layout.images, self.model.width), np.float32)
        for view in range(len(self.views)):
            own = layout.rows[:, view][layout.there[:, view]]
            if len(own):
                embed = partial(self.embed, view=view)
                rows[own] = forward_rows(SubsetImages(images, own), 0, len(own), BATCH, embed)
        return rows

    def flops(self) -> Flops:
        size, through = self.recipe.input_size, self.features is None
        backbone = 0
        if self.loaded is not None and through:
            image, encoder = torch.zeros(1, size, size, dtype=torch.uint8), self.loaded.encoder
            backbone = counted(self.model, lambda: encoder.embed(image))
        slices = Slices(
            torch.zeros(1, *self.layouts["train"].rows.shape[1:], self.model.width),
            torch.from_numpy(self.layouts["train"].there[:1]),
        )
        head = counted(self.model, lambda: self.model(slices))
        means = {name: own.there.sum() / len(own.rows) for name, own in self.layouts.items()}
        after = {
            name: len(own.rows) * (head + backbone * means[name])
            for name, own in self.layouts.items()
        }
        made = self.features.made.cost()["flops"] if self.features is not None else 0.0
        return Flops(
            image=trained_flops(backbone * means["train"], head, through),
            validation=after["val"],
            before=made,
            after=after["val"] + after["test"],
        )

    def cost(self, fitted: Fitted) -> Mapping[str, Any]:
        if self.loaded is not None:
            return {"total_parameters": self.loaded.parameters}
        assert self.features is not None
        return {"total_parameters": self.features.made.cost()["total_parameters"]}

    def digests(self) -> Mapping[str, str]:
        if self.loaded is not None:
            return {**self.cases.digests(), "backbone": self.loaded.digest}
        assert self.features is not None
        return {**self.cases.digests(), **self.features.made.digests()}

    def notes(self) -> Mapping[str, Any]:
        facts = self.features.made.facts if self.loaded is None and self.features else {}
        if self.loaded is not None:
            facts = self.loaded.facts()
        return {"backbone": dict(facts), **self.cases.notes()}

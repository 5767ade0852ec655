"""A repetition of a registered model of maps, which brings its loss and its answers with it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.adapt.map_model import MapAnswers, MapInputs, MapModel, attach_to_maps
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.label_subset import Subset
from omnibench.data.views import TEST
from omnibench.encoders.frozen import PassFacts
from omnibench.encoders.maps import unit_maps
from omnibench.errors import ExtensionError
from omnibench.task import Adaptation, Predictions
from omnibench.training.job import Batch
from omnibench.training.loop import Fitted
from omnibench.training.precision import autocast
from omnibench.training.trial import Trial

from .cases import Cases
from .recipes import MapRecipe
from .sheet import sheet


def trials_of_attached(
    unit: Unit, cases: Cases, adaptation: Adaptation, context: Context
) -> Callable[[int], Trial]:
    """Keep the maps of the frozen backbone; return what makes the trial of a repetition."""
    began = time.perf_counter()
    maps = unit_maps(unit, cases.dataset.splits, context)
    phases = {"features": time.perf_counter() - began}
    attached = adaptation.under(unit.options)

    def trial(repetition: int) -> Trial:
        subset = Subset.from_dataset(unit, repetition, cases.dataset)
        own = cases.of(subset)
        left = maps if own is cases else maps.of(subset)
        inputs = MapInputs(own.dataset, left, unit.seed("draws", repetition), context.device)
        model = attach_to_maps(attached, inputs, unit.options).to(context.device)
        made = AttachedTrial(unit, model, own, attached, maps.made, context.device)
        made.subset, made.phases = subset, phases
        return made

    return trial


class AttachedTrial(Trial):
    """A model on kept maps under its own loss, whose last epoch counts."""

    model: MapModel

    def __init__(
        self,
        unit: Unit,
        model: MapModel,
        cases: Cases,
        adaptation: Adaptation,
        made: PassFacts,
        device: str,
    ) -> None:
        self.recipe = MapRecipe.model_validate(unit.recipe)
        self.model, self.cases, self.adaptation = model, cases, adaptation
        self.made, self.device = made, device
        self.count = cases.count("train")

    def loss(self, batch: Batch) -> Tensor:
        return self.model.loss(batch)

    def predict(self) -> Predictions:
        """Return the measures of the answers, and of each further view as a test set beside."""
        splits = dict(self.cases.dataset.splits)
        answers: dict[str, NDArray[Any]] = {}
        stored: dict[str, NDArray[Any]] = {}
        for tested in list(splits):
            test, at, view = tested.partition("@")
            if test != TEST:
                continue
            given = self._answers(tested)
            answers[tested] = given.maps
            stored |= {f"{test}_{name}{at}{view}": a for name, a in given.stored.items()}
            if not at:
                for name, maps in given.views.items():
                    splits[f"{test}@{name}"], answers[f"{test}@{name}"] = splits[test], maps
        cases = replace(self.cases, dataset=replace(self.cases.dataset, splits=splits))
        self._test = answers[TEST]
        return {**cases.predictions(lambda split, rows: answers[split][rows]), **stored}

    def _answers(self, split: str) -> MapAnswers:
        """Return what the model answers for a split.

        Raises:
            ExtensionError: a map is missing, of another shape than the truth, or no number.
        """
        rows = np.arange(self.cases.count(split))
        self.model.eval()
        with torch.no_grad(), autocast(self.recipe.precision, self.device):
            given = self.model.predict(split, rows)
        where = f"the adaptation '{self.adaptation.name}': its `predict`"
        if set(given.views) != set(self.adaptation.further_views):
            raise ExtensionError(
                f"{where} gave the views {sorted(given.views)}, where "
                f"{sorted(self.adaptation.further_views)} are declared"
            )
        shape = self.cases.truth(split, rows)[0].shape
        for name, maps in {"maps": given.maps, **given.views}.items():
            if maps.shape != shape or not np.isfinite(maps).all():
                raise ExtensionError(
                    f"{where} gave as {name} an array {list(maps.shape)}, where finite numbers "
                    f"{list(shape)} are due"
                )
        return given

    def digests(self) -> Mapping[str, str]:
        return {**self.cases.dataset.digests, "backbone": self.made.facts["digest"]}

    def notes(self) -> Mapping[str, Any]:
        return {
            "backbone": dict(self.made.facts),
            "maps": self.cases.facts.model_dump(mode="json"),
        }

    def cost(self, fitted: Fitted) -> Mapping[str, Any]:
        own = sum(p.numel() for p in self.model.parameters())
        total = self.made.facts["parameters"] + own
        return {"total_parameters": total}  # what it computes is not counted

    def files(self, predictions: Predictions) -> Mapping[str, bytes]:
        return {"maps.png": sheet(self.cases, predictions, lambda split, rows: self._test[rows])}

"""A repetition of `clicks`: clicked at while it is trained, as it is when it is judged."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.declaration import VOID
from omnibench.data.sources import load_once
from omnibench.errors import DataError
from omnibench.task import Adaptation, Predictions
from omnibench.tasks.segmentation.cases import Cases
from omnibench.tasks.segmentation.layers import resize
from omnibench.tasks.segmentation.on_maps import Built, MapTrial, trials_on_maps
from omnibench.training.flops import Flops, counted, trained_flops
from omnibench.training.job import Batch
from omnibench.training.loop import Fitted
from omnibench.training.precision import autocast
from omnibench.training.random import stream_seed
from omnibench.training.trial import Trial

from .cases import ClickCases, Objects
from .click_maps import CHANNELS
from .clicking import Clicking, MethodOf, outlined
from .options import ClickOptions
from .recipes import TrainedClickRecipe
from .sequences import Target, jittered
from .simulators import SIMULATORS, Bits
from .trained import LearntObject, TrainedClicks

Rows = NDArray[np.int64]
BLOCK = 64  # images that are read at a time
VALIDATED_AFTER = 3  # clicks, or all of fewer


def prepare(unit: Unit, context: Context, adaptation: Adaptation) -> Callable[[int], Trial]:
    """Read the cases and keep the frozen backbone's maps; return what makes a trial."""
    recipe = TrainedClickRecipe.model_validate(unit.recipe)
    options = ClickOptions.model_validate(unit.options)
    dataset = load_once(unit.dataset, context.data, unit.sources["dataset"], recipe.input_size)
    cases = Cases.from_dataset(dataset, recipe.input_size, recipe.score_at, recipe.limit)
    test = Objects.from_split(cases, "test")

    def make(built: Built, own: ClickCases, phases: Mapping[str, float]) -> ClickTrial:
        return ClickTrial(built, own, test, recipe, options, context, phases)

    build = trials_on_maps(unit, ClickCases(cases), adaptation, context, make)

    def trial(repetition: int) -> Trial:
        made = build(repetition)
        assert isinstance(made, ClickTrial)
        made.seed = unit.seed("clicks", repetition)
        return made

    return trial


class ClickTrial(MapTrial):
    """Cross-entropy of object against background after each of some clicks on training objects.

    Attributes:
        seed: of the objects that are drawn and of clicks that miss.
    """

    cases: ClickCases
    recipe: TrainedClickRecipe
    seed: int

    def __init__(
        self,
        built: Built,
        cases: ClickCases,
        test: Objects,
        recipe: TrainedClickRecipe,
        options: ClickOptions,
        context: Context,
        phases: Mapping[str, float],
    ) -> None:
        super().__init__(built, cases, recipe, context.device, phases)
        self.options, self.context = options, context
        self.test, self.val = test, Objects.from_split(cases.cases, "val")
        self.validated = min(VALIDATED_AFTER, options.clicks)
        self.select = f"iou-{self.validated}"
        self.seconds = 0.0  # of the model, a click
        self._counted: tuple[Tensor, int] | None = None  # a whole batch and its pixels
        self._require_objects()

    def _require_objects(self) -> None:
        """Refuse a training split without an object.

        Raises:
            DataError: naming the dataset.
        """
        for start in range(0, self.count, BLOCK):
            rows = np.arange(start, min(start + BLOCK, self.count))
            if any(_shown(mask).size for mask in self.cases.cases.masks("train", rows)):
                return
        raise DataError(
            f"{self.cases.dataset.card.id}: none of the {self.count} training masks shows an "
            "object at the input size; raise the label budget or the recipe's limit, or add masks"
        )

    def loss(self, batch: Batch) -> Tensor:
        """Return this part's share of the step's mean loss over pixels and clicks."""
        rows = batch.rows.numpy()
        pixels = self.model.pixels("train", rows)
        maps = self.model.maps("train", rows, pixels)
        objects = self._objects(rows, batch)
        truth, counted = (
            torch.from_numpy(np.stack(parts)).to(self.device)
            for parts in zip(*((o.target.truth, o.target.counted) for o in objects), strict=True)
        )
        side, total = self.cases.cases.trained, torch.zeros((), device=self.device)
        boxed = self.options.start == "box"
        for number in range(boxed + self.recipe.train_clicks):
            for learnt in objects:
                if number or not boxed:
                    learnt.click()
            shown = torch.from_numpy(np.stack([learnt.shown() for learnt in objects]))
            logits = self._logits(pixels, maps, shown, (side, side))
            wrong = functional.binary_cross_entropy_with_logits(
                logits, truth.float(), reduction="none"
            )
            total = total + (wrong * counted).sum()
            for learnt, mask in zip(objects, (logits.detach() > 0).cpu().numpy(), strict=True):
                learnt.answer(mask)
        return total / (self._pixels(batch) * (boxed + self.recipe.train_clicks))

    def _objects(self, rows: Rows, batch: Batch) -> list[LearntObject]:
        """Return an object of each image, drawn among the classes that it shows."""
        side, boxed = self.cases.cases.trained, self.options.start == "box"
        objects = []
        masks = self.cases.cases.masks("train", rows)
        for mask, place in zip(masks, batch.places.tolist(), strict=True):
            labels, seed = _shown(mask), stream_seed(self.seed, "object", batch.step, place)
            if labels.size:
                label = np.random.default_rng(seed).choice(labels)
                target = Target(mask == label, mask != VOID)
            else:
                target = Target(np.zeros_like(mask, np.bool_), np.zeros_like(mask, np.bool_))
            jitter = jittered(self.options.jitter, (side, side), (seed,))
            rule = SIMULATORS[self.options.simulate]
            objects.append(LearntObject(target, rule, jitter, boxed))
        return objects

    def _pixels(self, batch: Batch) -> int:
        """Return how many pixels the images of the whole batch have that show an object."""
        if self._counted is None or self._counted[0] is not batch.whole:  # for all of its parts
            masks = self.cases.cases.masks("train", batch.whole.numpy())
            counts = [int((mask != VOID).sum()) for mask in masks if _shown(mask).size]
            self._counted = (batch.whole, max(1, sum(counts)))
        return self._counted[1]

    def _logits(self, pixels: Tensor, maps: Any, shown: Tensor, size: tuple[int, int]) -> Tensor:
        """Return logits [B, H, W]."""
        logits = self.model.head(pixels, maps, shown.to(self.device))
        return resize(logits.float(), size)[:, 0]

    def validate(self) -> Mapping[str, float]:
        options = self.options.model_copy(update={"clicks": self.validated})
        clicking = self._clicking(self.val, options)
        iou = [clicking.sequence(n).overlaps[-1, 0] for n in range(len(self.val))]
        return {f"iou-{self.validated}": float(np.mean(iou))}

    def predict(self) -> Predictions:
        arrays, self.seconds = outlined(self._clicking(self.test, self.options), self.context)
        return arrays

    def _clicking(self, objects: Objects, options: ClickOptions) -> Clicking:
        self.model.eval()
        return Clicking(objects, options, self._method_of(objects), self.seed)

    def _method_of(self, objects: Objects) -> MethodOf:
        """Return what outlines an object; what is read of the last image is held."""
        held: dict[int, tuple[Tensor, Any]] = {}
        side, boxed = self.cases.cases.trained, self.options.start == "box"

        def method(number: int) -> TrainedClicks:
            row, target = int(objects.rows[number]), objects.target(number)
            size = (target.truth.shape[0], target.truth.shape[1])
            if row not in held:
                held.clear()
                rows = np.array([row])
                pixels = self.model.pixels(objects.split, rows)
                held[row] = pixels, self.model.maps(objects.split, rows, pixels)
            pixels, maps = held[row]

            def predict(shown: NDArray[np.float32]) -> Bits:
                with torch.inference_mode(), autocast(self.recipe.precision, self.device):
                    logits = self._logits(pixels, maps, torch.from_numpy(shown)[None], size)
                mask: Bits = (logits[0] > 0).cpu().numpy()
                return mask

            return TrainedClicks(predict, size, side, target.box if boxed else None)

        return method

    def flops(self) -> Flops:
        row, side = np.array([0]), self.cases.cases.trained
        shown = torch.zeros(1, CHANNELS, side, side)
        pixels = self.model.pixels("train", row)
        maps = self.model.maps("train", row, pixels)
        with autocast(self.recipe.precision, self.device):
            forward = counted(self.model, lambda: self._logits(pixels, maps, shown, (side, side)))
        boxed = self.options.start == "box"
        rules = 1 + len(self.options.further)
        return Flops(
            image=trained_flops(0, forward * (self.recipe.train_clicks + boxed), False),
            validation=len(self.val) * (self.validated + boxed) * forward,
            before=self.built.cost.get("flops", 0),
            after=len(self.test) * rules * (self.options.clicks + boxed) * forward,
        )

    def cost(self, fitted: Fitted) -> Mapping[str, Any]:
        return {**super().cost(fitted), "seconds_per_click": self.seconds}

    def notes(self) -> Mapping[str, Any]:
        return {
            "backbone": dict(self.built.facts),
            "mask_classes": list(self.cases.dataset.card.mask_classes),
            "objects": len(self.test),
        }

    def files(self, predictions: Predictions) -> Mapping[str, bytes]:
        clicking = self._clicking(self.test, self.options)
        return {"clicks.png": clicking.sheet(predictions)}


def _shown(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the foreground classes that a mask shows."""
    labels = np.unique(mask)
    shown: NDArray[np.uint8] = labels[(labels != 0) & (labels != VOID)]
    return shown

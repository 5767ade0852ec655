"""A repetition of contrasts: by which contrasts studies are shown, and what each set gives."""

import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.adapt.trainable import attach
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.label_subset import Subset
from omnibench.data.sources import load_once
from omnibench.data.views import TEST
from omnibench.encoders.build import load_trainable
from omnibench.encoders.levels import levels_of
from omnibench.errors import DataError
from omnibench.task import Adaptation, Predictions
from omnibench.tasks.segmentation.counts import counts_of
from omnibench.tasks.segmentation.heads import UNet
from omnibench.tasks.segmentation.on_maps import BATCH, Built
from omnibench.tasks.segmentation.recipes import SegmentationRecipe
from omnibench.tasks.segmentation.trial import SegmentationTrial
from omnibench.training.flops import Flops, counted, trained_flops
from omnibench.training.job import Batch, Hooks
from omnibench.training.plan import under_budget
from omnibench.training.precision import autocast
from omnibench.training.trial import Trial

from .layouts import Shown
from .metrics import AFTER, BEFORE, COUNTS, SETS, TRAINED
from .network import ContrastViT, check_plain
from .segmenter import ContrastSegmenter
from .sets import Contrasts, listed, name_of, subsets_of
from .studies import Studies, flags, holds

Stages = Sequence[Sequence[Contrasts]]


def prepare(unit: Unit, context: Context, adaptation: Adaptation) -> Callable[[int], Trial]:
    """Read the studies, and return what makes a repetition's trial."""
    recipe = SegmentationRecipe.model_validate(unit.recipe)
    began = time.perf_counter()
    dataset = load_once(unit.dataset, context.data, unit.sources["dataset"], recipe.input_size)
    stages = [listed(unit.options[name]) for name in ("trained", "then")]
    stages = stages if unit.options["then"] else stages[:1]
    studies = Studies.from_dataset(dataset, recipe, stages)
    check_tested(unit, studies)
    phases = {"features": time.perf_counter() - began}

    def trial(repetition: int) -> Trial:
        subset = Subset.from_dataset(unit, repetition, studies.cases.dataset)
        own = studies.of(subset)
        seed = unit.seed("augmentation", repetition)
        built = build(unit, own, adaptation, context)
        made = ContrastTrial(built, own, recipe, unit.options, stages, seed, context.device, phases)
        made.subset = subset
        return made

    return trial


def build(unit: Unit, studies: Studies, adaptation: Adaptation, context: Context) -> Built:
    """Load the backbone that is trained, and put it under the tokenizer and a decoder."""
    loaded = load_trainable(unit, context, "fp32")
    encoder = loaded.encoder
    check_plain(encoder.module, unit.backbone)
    layers = levels_of(encoder, unit.backbone).layers
    attach(adaptation, encoder, {})
    vit: Any = encoder.module
    grid, width = vit.patch_embed.grid_size, int(vit.embed_dim)
    network = ContrastViT(vit, unit.options["tokenizer"], len(studies.contrasts))
    head = UNet.on_live([(width, *grid)] * len(layers), True, studies.cases.outputs)
    model = ContrastSegmenter(
        studies.cases.dataset, studies.layouts, head, encoder.preprocess, network, layers
    )
    cost = {"total_parameters": sum(p.numel() for p in network.parameters())}
    return Built(model.to(context.device), loaded.facts(), cost, loaded.digest, loaded)


def check_tested(unit: Unit, studies: Studies) -> None:
    """Refuse a set that no test study has.

    Raises:
        DataError: naming it.
    """
    sets = subsets_of(unit.options["subsets"], studies.contrasts)
    there = holds(studies.layouts.held(TEST), flags(sets, studies.contrasts)).any(axis=0)
    for own, known in zip(sets, np.atleast_1d(there).tolist(), strict=True):
        if not known:
            raise DataError(
                f"{unit.dataset.id}: no test study has {name_of(own)}, so that nothing can be "
                "predicted by it; list other sets in options.subsets"
            )


class ContrastTrial(SegmentationTrial):
    """Training studies shown by sets of their contrasts, and predictions by each tested set.

    Args:
        stages: the sets of each stage; without sets, all that a study has.
        seed: of the draws of sets, the same for every backbone.
    """

    model: ContrastSegmenter

    def __init__(
        self,
        built: Built,
        studies: Studies,
        recipe: SegmentationRecipe,
        options: Mapping[str, Any],
        stages: Stages,
        seed: int,
        device: str,
        phases: Mapping[str, float],
    ) -> None:
        super().__init__(built, studies.cases, recipe, device, phases)
        self.studies, self.seed = studies, seed
        contrasts = studies.contrasts
        self.sets = subsets_of(options["subsets"], contrasts)
        held = np.unique(studies.layouts.held("train"), axis=0)
        self.stages = [flags(sets, contrasts) if sets else held for sets in stages]
        self.drawn = [bool(sets) for sets in stages]
        self.turn = _Turn(self._of_first_stage) if len(stages) > 1 else None
        if self.turn is not None:
            self.select = None  # an epoch of the first stage must not be chosen

    def job(self) -> Mapping[str, Any]:
        if self.turn is None:
            return {}
        assert self.subset is not None
        recipe, images = under_budget(self.recipe, self.count, self.subset.whole)
        self.turn.step = (recipe.epochs // 2) * math.ceil(images / recipe.batch)
        return {"hooks": self.turn}

    def loss(self, batch: Batch) -> Tensor:
        """Return this part's share of the step's mean loss."""
        shown = self.shown(batch)
        return self.pixel_loss(self.model("train", batch.rows.numpy(), shown), batch)

    def shown(self, batch: Batch) -> Shown:
        """Return bool [B, K], by which contrasts the studies of a part of a batch are shown."""
        second = self.turn is not None and batch.step >= self.turn.step
        held: Shown = self.studies.layouts.held("train")[batch.rows.numpy()]
        if not self.drawn[second]:
            return held
        fits = holds(held, self.stages[second])
        draws = np.random.default_rng([self.seed, batch.step]).random(len(batch.whole))
        order = (draws[batch.places.numpy()] * fits.sum(axis=1)).astype(np.int64)
        chosen = (fits.cumsum(axis=1) == order[:, None] + 1).argmax(axis=1)
        sets: Shown = self.stages[second][chosen]
        return sets

    def predict(self) -> Predictions:
        trained = {tuple(own) for stage in self.stages for own in stage.tolist()}
        tested = flags(self.sets, self.studies.contrasts)
        arrays = {
            **super().predict(),
            SETS: np.array([name_of(own) for own in self.sets]),
            TRAINED: np.array([tuple(own) in trained for own in tested.tolist()]),
            COUNTS: self.counts(tested),
        }
        if self.turn is not None:
            assert self.turn.counts is not None
            arrays |= {BEFORE: self.turn.counts, AFTER: self.counts(self.stages[0])}
        return arrays

    def counts(self, sets: Shown) -> NDArray[np.int32]:
        """Return the counts [N, n, C, 4] of test studies shown by sets; -1 where one is lacking."""
        held, classes = self.studies.layouts.held(TEST), self.cases.classes
        counts = np.full((len(held), len(sets), classes, 4), -1, np.int32)
        there = holds(held, sets)
        for number, own in enumerate(sets):
            self.model.only = own
            rows = np.flatnonzero(there[:, number])
            for start in range(0, len(rows), BATCH):
                part = rows[start : start + BATCH]
                truth = self.cases.truth(TEST, part)
                counts[part, number] = counts_of(self.masks(TEST, part), truth, classes)
        self.model.only = None
        return counts

    def _of_first_stage(self) -> NDArray[np.int32]:
        counts = self.counts(self.stages[0])
        self.set_mode()
        return counts

    def flops(self) -> Flops:
        held = self.studies.layouts.held("train").sum(axis=1)
        size = self.recipe.input_size
        images = torch.zeros(1, 1, 3, size, size, device=self.device)

        @functools.cache
        def of(contrasts: int) -> int:
            several = images.expand(-1, contrasts, -1, -1, -1)
            numbers = list(range(contrasts))
            encode = functools.partial(self.model.encoder.maps, several, numbers, self.model.layers)
            return counted(self.model, encode)

        with autocast(self.recipe.precision, self.device):
            maps = self.model.encoder.maps(images, [0], self.model.layers)
            head = counted(self.model, lambda: self.model.head(images[:, 0], maps))
            most = [len(own) for own in self.sets]
            test = sum(of(own) + head for own in most) + of(len(self.studies.contrasts)) + head
            val = of(len(self.studies.contrasts)) + head
            mean = float(np.mean([of(int(own)) for own in held]))
        validation = self.cases.count("val") * val
        return Flops(
            image=trained_flops(mean, head, through_backbone=True),
            validation=validation,
            after=validation + self.cases.count(TEST) * test,
        )

    def notes(self) -> Mapping[str, Any]:
        return {**super().notes(), "training_studies": len(self.studies.layouts.rows["train"])}


class _Turn(Hooks):
    """Holds what the first stage's sets score on the test studies when the second stage begins."""

    def __init__(self, evaluate: Callable[[], NDArray[np.int32]]) -> None:
        self.evaluate = evaluate
        self.step = 0
        self.counts: NDArray[np.int32] | None = None

    def after(self, step: int, loss: float, norm: float) -> None:
        if step + 1 == self.step:
            self.counts = self.evaluate()

    def state(self) -> dict[str, Any]:
        return {} if self.counts is None else {"counts": torch.from_numpy(self.counts)}

    def resume(self, step: int, state: Mapping[str, Any]) -> None:
        if state:
            self.counts = state["counts"].numpy()

"""Probes of frozen features: one feature pass a unit, then every repetition."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.label_subset import Subset
from omnibench.encoders.frozen import UnitFeatures
from omnibench.errors import RequestError
from omnibench.label_budget import WHOLE
from omnibench.recipe import Selection
from omnibench.record_files import WEIGHTS
from omnibench.scoring import score
from omnibench.task import Outcome

from .cases import Cases, cases_of, validation_macro_f1
from .embeddings import embeddings
from .knn import as_logits, vote_shares
from .linear import (
    GROUP,
    Heads,
    Seeds,
    Slope,
    as_targets,
    sigmoid_slope,
    softmax_slope,
    train_heads,
)
from .members import train_member_heads
from .recipes import KnnRecipe, LinearRecipe
from .refusals import nothing_to_choose_by
from .training_sets import training_sets


@dataclass(frozen=True)
class Fit:
    """What a probe gives for one repetition.

    Attributes:
        subset: the images it was trained on and chosen by.
        logits: of `subset`'s validation images, and of the test split.
        chosen: how they were chosen.
        trainable: number of trained parameters.
        training: `batch_used` and `steps` of what is trained in steps.
        further: arrays that are stored beside the logits.
        notes: further facts for the record.
        head: weight [C, D] and bias [C] that give the logits of embeddings as the backbone gives
            them; None where nothing of the kind does.
    """

    repetition: int
    subset: Subset
    logits: Mapping[str, NDArray[np.float32]]
    chosen: Mapping[str, Any]
    trainable: int
    training: Mapping[str, int] = field(default_factory=dict)
    further: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    head: tuple[Tensor, Tensor] | None = None


@dataclass(frozen=True)
class Head:
    """What a linear layer on embeddings gives, and how it is trained.

    Attributes:
        targets: float32 [N, O] of the training split.
        slope: of its loss.
        logits: outputs [..., O] -> logits [..., C].
        further: what else is stored of outputs [N, O], by its name without the split's.
    """

    targets: Tensor
    slope: Slope
    logits: Callable[[Tensor], Tensor] = lambda outputs: outputs
    further: Callable[[Tensor], Mapping[str, Tensor]] = lambda outputs: {}


# Yields a probe's fit of each repetition, from the frozen features of every split.
Fitting = Callable[[Unit, UnitFeatures, Cases, Context], Iterator[Fit]]
# Returns the frozen features of splits, given their names at last.
Embedding = Callable[..., UnitFeatures]


def run(
    unit: Unit, context: Context, fit: Fitting, embed: Embedding = embeddings
) -> Iterator[Outcome]:
    """Yield one outcome a repetition."""
    cases = cases_of(unit, context)
    began = time.perf_counter()
    features = embed(unit, cases, context, *cases.dataset.splits)
    extracted = time.perf_counter()
    context.progress(f"{unit.adaptation} probe", 0, len(unit.repetitions))
    for probe in fit(unit, features, cases, context):
        predictions = {**cases.of(probe.subset).predictions(probe.logits), **probe.further}
        yield Outcome(
            repetition=probe.repetition,
            metrics=score(unit.task, predictions),
            predictions=predictions,
            cost={
                "phases": {
                    "features": extracted - began,
                    "probe": time.perf_counter() - extracted,
                },
                "trainable_parameters": probe.trainable,
                **features.made.cost(),
            },
            digests={**cases.digests(), **features.made.digests()},
            notes={
                "chosen": dict(probe.chosen),
                "subset": dict(probe.subset.facts),
                **probe.training,
                **probe.notes,
                "backbone": dict(features.made.facts),
                **cases.notes(),
            },
            files=_kept(probe) if unit.keeps_weights else {},
        )


def _kept(probe: Fit) -> dict[str, bytes]:
    """Return the file of a probe's head, under the names of `Classifier`."""
    assert probe.head is not None  # as `Probe.keeps_head` says
    weight, bias = probe.head
    return {WEIGHTS: save({"head.0.weight": weight, "head.0.bias": bias})}


def fit_linear(unit: Unit, features: UnitFeatures, cases: Cases, context: Context) -> Iterator[Fit]:
    targets = as_targets(cases.labels["train"], cases.classes)
    slope = sigmoid_slope if cases.multi_label else softmax_slope
    return fit_head(unit, features, cases, context, Head(targets, slope))


def fit_head(
    unit: Unit, features: UnitFeatures, cases: Cases, context: Context, head: Head
) -> Iterator[Fit]:
    """Yield each repetition's fit of a linear layer on standardised embeddings.

    Where a fused backbone has an attention over its members, that is trained with it.
    """
    recipe = LinearRecipe.model_validate(unit.recipe)
    arrays = {name: torch.from_numpy(array) for name, array in features.arrays.items()}
    arrays = {name: array.to(context.device) for name, array in arrays.items()}
    targets = head.targets.to(context.device)
    steps = None
    if recipe.budget == "steps":
        whole = cases.subset(unit, 0).whole
        steps = recipe.epochs * math.ceil(whole / recipe.batch)
    train: Callable[..., Heads] = train_heads
    if unit.backbone.attends_to_members:
        train = partial(train_member_heads, widths=features.members)
    for group in sorted({k // GROUP for k in unit.repetitions}):
        members = range(group * GROUP, (group + 1) * GROUP)
        subsets = [cases.subset(unit, k) for k in members]
        for part in training_sets(arrays["train"], targets, subsets):
            if not {members[slot] for slot in part.slots} & set(unit.repetitions):
                continue
            batch = min(recipe.batch, part.rows.shape[1])
            made = steps or recipe.epochs * math.ceil(part.rows.shape[1] / batch)
            repetitions = [members[slot] for slot in part.slots]
            heads = train(
                part.features,
                part.targets,
                recipe.rates,
                [Seeds(unit.seed("head", k), unit.seed("order", k)) for k in repetitions],
                epochs=recipe.epochs,
                batch=recipe.batch,
                weight_decay=recipe.weight_decay,
                slope=head.slope,
                rows=part.rows,
                steps=steps,
            )
            for place, repetition in enumerate(repetitions):
                if repetition not in unit.repetitions:
                    continue
                subset, scale = subsets[part.slots[place]], part.scales[place]
                outputs = {n: heads.logits(scale(arrays[n]), place) for n in ("val", *cases.tested)}
                outputs["val"] = outputs["val"][:, subset.val]
                labels = cases.labels["val"][subset.val]
                best, quality = best_candidate(
                    head.logits(outputs["val"]), labels, recipe.selection
                )
                chosen = {name: every[best].cpu() for name, every in outputs.items()}
                yield Fit(
                    repetition,
                    subset,
                    {name: head.logits(own).numpy() for name, own in chosen.items()},
                    {"lr": recipe.rates[best], **quality},
                    heads.trainable,
                    {"batch_used": batch, "steps": made},
                    {
                        _stored_as(split, name): array.numpy()
                        for split, own in chosen.items()
                        for name, array in head.further(own).items()
                    },
                    head=scale.folded(heads.weight[place, best], heads.bias[place, best]),
                )


def _stored_as(split: str, name: str) -> str:
    """Return what an array of a split is called; of "test@VIEW" it is `test_NAME@VIEW`."""
    whole, at, view = split.partition("@")
    return f"{whole}_{name}{at}{view}"


def fit_knn(unit: Unit, features: UnitFeatures, cases: Cases, context: Context) -> Iterator[Fit]:
    recipe = KnnRecipe.model_validate(unit.recipe)
    arrays = {name: torch.from_numpy(array) for name, array in features.arrays.items()}
    arrays = {name: array.to(context.device) for name, array in arrays.items()}
    targets = as_targets(cases.labels["train"], cases.classes).to(context.device)
    for repetition in unit.repetitions:
        subset = cases.subset(unit, repetition)
        rows = torch.from_numpy(subset.train).to(context.device)
        ks = recipe.k
        if unit.labels != WHOLE:  # of fewer images than neighbours all of them vote
            ks = tuple(dict.fromkeys(min(k, len(rows)) for k in ks))
        train = arrays["train"][rows], targets[rows]
        answered = {name: arrays[name] for name in cases.tested}
        answered["val"] = arrays["val"][torch.from_numpy(subset.val)]
        logits = {
            name: as_logits(vote_shares(*train, own, ks, recipe.temperature), cases.multi_label)
            for name, own in answered.items()
        }
        labels = cases.labels["val"][subset.val]
        best, quality = best_candidate(logits["val"], labels, recipe.selection)
        yield Fit(
            repetition,
            subset,
            {name: array[best].numpy() for name, array in logits.items()},
            {"k": ks[best], **quality},
            0,
        )


def best_candidate(
    candidates: Tensor, labels: NDArray[np.int64], selection: Selection
) -> tuple[int, dict[str, float]]:
    """Return which candidate of [X, N, C] has the best validation macro-F1, and that.

    The first of equals; of one that is not to be chosen by validation, itself.
    """
    if selection == "last":
        if len(candidates) > 1:
            raise RequestError(nothing_to_choose_by(len(candidates)))
        return 0, {}
    scores = [validation_macro_f1(logits.cpu().numpy(), labels) for logits in candidates]
    best = int(np.argmax(scores))
    return best, {"val_macro_f1": scores[best]}

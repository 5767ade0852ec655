"""Probes of frozen features: one feature pass a unit, then every repetition."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.encoders.frozen import UnitFeatures, unit_features
from omnibench.scoring import score
from omnibench.task import Outcome

from .cases import Cases, cases_of, validation_macro_f1
from .knn import as_logits, vote_shares
from .linear import GROUP, Seeds, Standardise, as_targets, train_heads
from .recipes import KnnRecipe, LinearRecipe


@dataclass(frozen=True)
class Fit:
    """What a probe gives for one repetition: logits a split and how they were chosen."""

    repetition: int
    logits: Mapping[str, NDArray[np.float32]]
    chosen: Mapping[str, Any]
    trainable: int


# Yields a probe's fit of each repetition, from the frozen features of every split.
Fitting = Callable[[Unit, UnitFeatures, Cases, Context], Iterator[Fit]]


def run(unit: Unit, context: Context, fit: Fitting) -> Iterator[Outcome]:
    """Yield one outcome a repetition."""
    cases = cases_of(unit, context)
    began = time.perf_counter()
    features = unit_features(unit, cases.dataset.splits, context)
    extracted = time.perf_counter()
    context.progress(f"{unit.adaptation} probe", 0, len(unit.repetitions))
    for probe in fit(unit, features, cases, context):
        predictions = cases.predictions(probe.logits)
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
            digests={**cases.dataset.digests, **features.made.digests()},
            notes={
                "chosen": dict(probe.chosen),
                "backbone": dict(features.made.facts),
                **cases.notes(),
            },
        )


def fit_linear(unit: Unit, features: UnitFeatures, cases: Cases, context: Context) -> Iterator[Fit]:
    recipe = LinearRecipe.model_validate(unit.recipe)
    arrays = {name: torch.from_numpy(array) for name, array in features.arrays.items()}
    arrays = {name: array.to(context.device) for name, array in arrays.items()}
    standardise = Standardise.from_features(arrays["train"])
    arrays = {name: standardise(array) for name, array in arrays.items()}
    targets = as_targets(cases.labels["train"], cases.classes).to(context.device)
    for group in sorted({k // GROUP for k in unit.repetitions}):
        members = range(group * GROUP, (group + 1) * GROUP)
        heads = train_heads(
            arrays["train"],
            targets,
            recipe.rates,
            [Seeds(unit.seed("head", k), unit.seed("order", k)) for k in members],
            epochs=recipe.epochs,
            batch=recipe.batch,
            weight_decay=recipe.weight_decay,
            multi_label=cases.multi_label,
        )
        for slot, repetition in enumerate(members):
            if repetition not in unit.repetitions:
                continue
            logits = {name: heads.logits(arrays[name], slot) for name in ("val", "test")}
            best, quality = _best(logits["val"], cases.labels["val"])
            yield Fit(
                repetition,
                {name: every[best].cpu().numpy() for name, every in logits.items()},
                {"lr": recipe.rates[best], "val_macro_f1": quality},
                cases.classes * (features.width + 1),
            )


def fit_knn(unit: Unit, features: UnitFeatures, cases: Cases, context: Context) -> Iterator[Fit]:
    recipe = KnnRecipe.model_validate(unit.recipe)
    train = torch.from_numpy(features.arrays["train"]).to(context.device)
    targets = as_targets(cases.labels["train"], cases.classes).to(context.device)
    logits = {
        name: as_logits(
            vote_shares(
                train,
                targets,
                torch.from_numpy(features.arrays[name]).to(context.device),
                recipe.k,
                recipe.temperature,
            ),
            cases.multi_label,
        )
        for name in ("val", "test")
    }
    best, quality = _best(logits["val"], cases.labels["val"])
    yield Fit(
        unit.repetitions[0],
        {name: array[best].numpy() for name, array in logits.items()},
        {"k": recipe.k[best], "val_macro_f1": quality},
        0,
    )


def _best(candidates: Tensor, labels: NDArray[np.int64]) -> tuple[int, float]:
    """The candidate [X, N, C] with the best validation macro-F1; the first of equals."""
    scores = [validation_macro_f1(logits.cpu().numpy(), labels) for logits in candidates]
    best = int(np.argmax(scores))
    return best, scores[best]

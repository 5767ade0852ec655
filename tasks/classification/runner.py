"""A unit of classification: one feature pass, then every repetition's probe."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import Dataset
from omnibench.data.sources import load_once
from omnibench.data.subset import limited
from omnibench.encoders.frozen import UnitFeatures, unit_features
from omnibench.errors import DataError
from omnibench.task import Outcome, score

from . import KnnRecipe, LinearRecipe
from .knn import as_logits, vote_shares
from .linear import GROUP, Seeds, Standardise, as_targets, train_heads
from .metrics import DEFINITIONS, confusion, macro_f1, omnirad_classification

Labels = Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True)
class _Probe:
    """What a probe gives for one repetition: logits a split and how they were chosen."""

    repetition: int
    logits: Mapping[str, NDArray[np.float32]]
    chosen: Mapping[str, Any]
    trainable: int


def run(unit: Unit, context: Context) -> Iterator[Outcome]:
    """Yield one outcome a repetition."""
    started = time.perf_counter()
    dataset = limited(
        load_once(unit.dataset, context.data, unit.sources["dataset"]), unit.recipe["limit"]
    )
    labels = {name: _labels(dataset, name) for name in ("train", "val", "test")}
    loaded = time.perf_counter()
    features = unit_features(unit, dataset, context)
    extracted = time.perf_counter()
    probes = _linear if unit.adaptation == "linear" else _knn
    context.progress(f"{unit.adaptation} probe", 0, len(unit.repetitions))
    for probe in probes(unit, features, labels, len(dataset.card.classes), context):
        predictions = _predictions(dataset, probe)
        metrics = score(DEFINITIONS, predictions)
        yield Outcome(
            repetition=probe.repetition,
            metrics=metrics,
            predictions=predictions,
            cost={
                "phases": {
                    "data": loaded - started,
                    "features": extracted - loaded,
                    "probe": time.perf_counter() - extracted,
                },
                "trainable_parameters": probe.trainable,
                **features.cost(),
            },
            digests={**dataset.digests, **features.digests()},
            notes={"chosen": dict(probe.chosen), "backbone": features.facts},
        )


def _linear(
    unit: Unit, features: UnitFeatures, labels: Labels, classes: int, context: Context
) -> Iterator[_Probe]:
    recipe = LinearRecipe.model_validate(unit.recipe)
    multi_label = labels["train"].ndim == 2
    arrays = {name: torch.from_numpy(array) for name, array in features.arrays.items()}
    arrays = {name: array.to(context.device) for name, array in arrays.items()}
    standardise = Standardise.of(arrays["train"])
    arrays = {name: standardise(array) for name, array in arrays.items()}
    targets = as_targets(labels["train"], classes).to(context.device)
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
            multi_label=multi_label,
        )
        for slot, repetition in enumerate(members):
            if repetition not in unit.repetitions:
                continue
            logits = {name: heads.logits(arrays[name], slot) for name in ("val", "test")}
            best, quality = _best(logits["val"], labels["val"])
            yield _Probe(
                repetition,
                {name: every[best].cpu().numpy() for name, every in logits.items()},
                {"lr": recipe.rates[best], "val_macro_f1": quality},
                classes * (features.width + 1),
            )


def _knn(
    unit: Unit, features: UnitFeatures, labels: Labels, classes: int, context: Context
) -> Iterator[_Probe]:
    recipe = KnnRecipe.model_validate(unit.recipe)
    multi_label = labels["train"].ndim == 2
    train = torch.from_numpy(features.arrays["train"]).to(context.device)
    targets = as_targets(labels["train"], classes).to(context.device)
    logits = {
        name: as_logits(
            vote_shares(
                train,
                targets,
                torch.from_numpy(features.arrays[name]).to(context.device),
                recipe.k,
                recipe.temperature,
            ),
            multi_label,
        )
        for name in ("val", "test")
    }
    best, quality = _best(logits["val"], labels["val"])
    yield _Probe(
        unit.repetitions[0],
        {name: array[best].numpy() for name, array in logits.items()},
        {"k": recipe.k[best], "val_macro_f1": quality},
        0,
    )


def _best(candidates: Tensor, labels: NDArray[np.int64]) -> tuple[int, float]:
    """The candidate [X, N, C] with the best validation macro-F1; the first of equals."""
    scores = [_macro_f1(logits.cpu().numpy(), labels) for logits in candidates]
    best = int(np.argmax(scores))
    return best, scores[best]


def _macro_f1(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    if labels.ndim == 1:
        return macro_f1(confusion(labels, logits.argmax(axis=1), logits.shape[1]))
    value = omnirad_classification({"test_logits": logits, "test_labels": labels})["macro-f1"]
    assert value is not None
    return value


def _labels(dataset: Dataset, split: str) -> NDArray[np.int64]:
    labels = dataset.splits[split].labels
    if labels is None:
        raise DataError(f"{dataset.card.id}: the {split} split has no class labels")
    return labels


def _predictions(dataset: Dataset, probe: _Probe) -> dict[str, NDArray[Any]]:
    """The arrays stored beside the record: logits, labels, case and, where known, group."""
    arrays: dict[str, NDArray[Any]] = {}
    for name in ("val", "test"):
        split = dataset.splits[name]
        arrays[f"{name}_logits"] = probe.logits[name].astype(np.float32)
        arrays[f"{name}_labels"] = _labels(dataset, name)
        arrays[f"{name}_case"] = np.arange(len(split), dtype=np.int64)
        if split.groups is not None:
            arrays[f"{name}_group"] = split.groups
    return arrays

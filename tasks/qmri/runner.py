"""A unit of quantitative MRI: networks or fits, judged on a grid of truths x draws of the noise."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import Dataset
from omnibench.data.ivim.model import SCALES
from omnibench.data.ivim.protocol import PARAMETERS
from omnibench.data.ivim.voxels import Voxels
from omnibench.data.subset import unit_dataset
from omnibench.errors import DataError
from omnibench.features import FeatureStore, feature_key
from omnibench.scoring import score
from omnibench.task import Outcome

from .bound import cramer_rao
from .exported import Estimate, Floats, estimate_in_onnx, facts_of_graph, graph_of, microseconds
from .fit import VERSION, fit
from .networks import Networks, train
from .options import TIMES, FitOptions, NetworkOptions
from .recipes import NetworkRecipe

TRAINED = ("train", "val")
BLOCK = 1024  # voxels that are fitted together


def run_mlp(unit: Unit, context: Context) -> Iterator[Outcome]:
    """Yield one outcome a repetition of the network."""
    recipe = NetworkRecipe.model_validate(unit.recipe)
    options = NetworkOptions.model_validate(unit.options)
    dataset = unit_dataset(unit, context)
    voxels = {name: voxels_of(dataset, name) for name in dataset.splits}
    began = time.perf_counter()
    labels: dict[str, Floats] = {name: voxels[name].parameters for name in TRAINED}
    if options.trained_on == "fitted":
        labels = {name: fitted_labels(unit, context, name, voxels[name]) for name in TRAINED}
    phases = {"labels": time.perf_counter() - began}

    def tensors(arrays: Mapping[str, Floats]) -> tuple[Tensor, Tensor]:
        train, val = (torch.from_numpy(arrays[name]).float().to(context.device) for name in TRAINED)
        return train, val

    signals = tensors({name: voxels[name].signals[:, 0] for name in TRAINED})
    truth = tensors(labels)
    for repetition in unit.repetitions:
        began = time.perf_counter()
        seed = unit.seed("head", repetition)
        networks = Networks(
            signals[0].shape[1],
            torch.from_numpy(SCALES).float(),
            [(seed + start) % 2**63 for start in range(recipe.starts)],
        ).to(context.device)
        order = unit.seed("order", repetition)
        trained = train(
            networks,
            signals,
            truth,
            recipe,
            order,
            lambda epoch: context.progress("epochs", epoch, recipe.epochs),
        )
        phases["training"] = time.perf_counter() - began
        network = trained.networks.only(trained.best)
        judge = partial(
            judged,
            dataset,
            unit,
            repetition,
            phases=phases,
            notes={
                "trained_on": options.trained_on,
                "epochs": trained.epochs,
                "start": trained.best,
                "validation_losses": [
                    loss if np.isfinite(loss) else None for loss in trained.losses
                ],
            },
            trainable=sum(parameter.numel() for parameter in network.parameters()),
        )
        if options.runtime == "onnx":
            yield in_onnx(judge, network.cpu(), voxels["test"])
        else:
            estimate = estimate_by(network, context.device)
            estimate(voxels["test"].signals[0])  # what is slow the first time
            yield judge(estimate)


def in_onnx(judge: Callable[..., Outcome], network: Networks, voxels: Voxels) -> Outcome:
    """Return the outcome of a network in ONNX Runtime, beside torch and least squares.

    Args:
        judge: `judged` of all but the estimates; voxels: of the test.
    """
    graph = graph_of(network)
    in_onnxruntime, in_torch = estimate_in_onnx(graph), estimate_by(network, "cpu")
    in_onnxruntime(voxels.signals[0])  # what is slow the first time
    outcome = judge(in_onnxruntime, in_torch=in_torch)
    times = microseconds(
        {"onnxruntime": in_onnxruntime, "torch": in_torch},
        lambda signals: fit(signals, voxels.protocol, "gaussian").parameters,
        flat(voxels.signals),
    )
    return replace(
        outcome,
        cost={**outcome.cost, TIMES: times},
        notes={**outcome.notes, "graph": facts_of_graph(outcome.metrics)},
        files={"onnx": graph},
    )


def run_fit(unit: Unit, context: Context) -> Iterator[Outcome]:
    """Yield the one outcome of the fit."""
    likelihood = FitOptions.model_validate(unit.options).likelihood
    dataset = unit_dataset(unit, context)
    protocol = voxels_of(dataset, "test").protocol
    unended: list[int] = []

    def estimate(signals: Floats) -> Floats:
        parts = []
        for first in range(0, len(signals), BLOCK):
            part = fit(signals[first : first + BLOCK], protocol, likelihood)
            unended.append(int((~part.ended).sum()))
            parts.append(part.parameters)
            context.progress("voxels", min(first + BLOCK, len(signals)), len(signals))
        return np.concatenate(parts)

    for repetition in unit.repetitions:
        outcome = judged(dataset, unit, repetition, estimate, {}, {"likelihood": likelihood})
        yield replace(outcome, notes={**outcome.notes, "not_ended": sum(unended)})


def judged(
    dataset: Dataset,
    unit: Unit,
    repetition: int,
    estimate: Estimate,
    phases: Mapping[str, float],
    notes: Mapping[str, Any],
    trainable: int = 0,
    in_torch: Estimate | None = None,
) -> Outcome:
    """Return the outcome of what estimates the test's parameters, timed.

    Args:
        in_torch: the same network in torch, where `estimate` is that of another runtime.
    """
    test = voxels_of(dataset, "test")
    draws = test.signals.shape[1]
    if draws < 2:
        raise DataError(
            f"{dataset.card.id}: its test has one draw of the noise of each voxel, of which "
            "nothing varies; give two or more"
        )
    bound = cramer_rao(test.parameters, test.protocol)
    signals = flat(test.signals)
    began = time.perf_counter()
    estimates = estimate(signals)
    seconds = time.perf_counter() - began
    shape = (len(test), draws, -1)
    arrays: dict[str, NDArray[Any]] = {
        "test_case": np.arange(len(test)),
        "test_truth": test.parameters,
        "test_estimates": estimates.reshape(shape).astype(np.float32),
        "test_bound": bound,
    }
    if in_torch is not None:
        arrays["test_torch_estimates"] = in_torch(signals).reshape(shape)
    return Outcome(
        repetition=repetition,
        metrics=score(unit.task, arrays),
        predictions=arrays,
        cost={
            "phases": {**phases, "estimates": seconds},
            "trainable_parameters": trainable,
            "microseconds_per_voxel": 1e6 * seconds / len(signals),
        },
        digests=dict(dataset.digests),
        notes={
            **notes,
            "parameters": list(PARAMETERS),
            "b_values": list(test.protocol.b_values),
            "snr": test.protocol.snr,
            "draws": draws,
        },
    )


def voxels_of(dataset: Dataset, split: str) -> Voxels:
    """Return the voxels of a split.

    Raises:
        DataError: it has none.
    """
    return dataset.target(split, "voxels", Voxels)


def flat(signals: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return signals [N, draws, B] as [N draws, B]."""
    return signals.reshape(-1, signals.shape[-1])


def fitted_labels(unit: Unit, context: Context, split: str, voxels: Voxels) -> Floats:
    """Return the parameters of maximum likelihood of a split's voxels, kept in the feature store.

    They depend on no repetition, and units of one dataset share them.
    """
    signals = voxels.signals[:, 0]

    def compute(first: int, last: int) -> NDArray[np.float32]:
        context.progress(f"labels of {split}", first, len(signals))
        parts = [
            fit(signals[row : min(row + BLOCK, last)], voxels.protocol, "rician").parameters
            for row in range(first, last, BLOCK)
        ]
        return np.concatenate(parts).astype(np.float32)

    key = feature_key(unit, split, "labels:rician", fit=str(VERSION))
    facts = {"digest": f"fit {VERSION}"}
    rows = FeatureStore(context.features).get(key, len(voxels), lambda: facts, compute, BLOCK)
    return rows.array()


def estimate_by(network: Networks, device: str) -> Estimate:
    """Return what estimates parameters by a network of one start."""

    @torch.inference_mode()
    def estimate(signals: Floats) -> Floats:
        values = network(torch.from_numpy(signals).float().to(device))[0]
        array: Floats = values.cpu().numpy()
        return array

    return estimate

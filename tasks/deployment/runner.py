"""Fit a linear layer on frozen embeddings, export it with the backbone, compare and time both."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from omnibench.adapt.trainable import Trainable
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import Images
from omnibench.data.views import TEST
from omnibench.encoders.build import load_trainable
from omnibench.encoders.preprocess import Preprocess
from omnibench.exporters.onnx_graph import (
    IMAGES,
    OUTPUTS,
    PIXELS,
    require_onnx,
    session,
    to_onnx,
    with_preprocessing,
)
from omnibench.exporters.opset import PACKAGES
from omnibench.scoring import score
from omnibench.task import Outcome, Predictions
from omnibench.tasks.classification.cases import Cases, cases_of
from omnibench.tasks.classification.deployed import classifier_network
from omnibench.tasks.classification.embeddings import embeddings
from omnibench.tasks.classification.logistic_probe import fit_logistic
from omnibench.training.trained_network import Network

from .latency import latencies, torch_threads
from .metrics import parity
from .options import OnnxOptions
from .quantised import quantised

BATCH = 8  # of the images that are compared
BOUND = {"fp32": 1e-4, "int8": np.inf}  # of the largest logit
IN_GRAPH, OUTSIDE = "in-graph", "outside"


def run(unit: Unit, context: Context) -> Iterator[Outcome]:
    """Yield the outcome of the one repetition."""
    require_onnx()
    options = OnnxOptions.model_validate(unit.options)
    cases = cases_of(unit, context)
    clock = _Clock(context)
    features = embeddings(unit, cases, context, *cases.dataset.splits)
    clock.lap("features")
    [probe] = fit_logistic(unit, features, cases, context)
    clock.lap("probe")
    assert probe.head is not None
    began = time.perf_counter()
    loaded = load_trainable(unit, replace(context, device="cpu"), "fp32")
    weight, bias = probe.head
    head = nn.Linear(weight.shape[1], weight.shape[0])
    head.load_state_dict({"weight": weight, "bias": bias})
    network = classifier_network(loaded, Trainable(loaded.encoder, gradients=False), head)
    network.module.eval().requires_grad_(False)
    torch_load = time.perf_counter() - began
    size = loaded.encoder.preprocess.size
    plain = to_onnx(network.module, (3, size, size), unit.backbone.id, options.opset)
    clock.lap("export")
    images = cases.dataset.splits[TEST].images
    with torch_threads(options.threads):
        truth = _predictions(cases, network, images)
        graph, logits, broken = _equal(plain, network, images, truth, options)
        if options.precision == "int8":
            graph = Graph(quantised(graph.model), graph.prepares, options.threads)
            logits = _by_blocks(images, graph.with_images(network))
        predictions = {**truth, "test_logits": logits, **_bound(options.precision)}
        clock.lap("parity")
        runtimes = {"torch": _eager(network), "onnxruntime": graph.with_images(network)}
        block = np.asarray(images.read(0, min(images.shape[0], max(options.batches))))
        timed = latencies(runtimes, block, options.batches)
    clock.lap("latency")
    timed["torch"]["load_ms"] = torch_load * 1000
    timed["onnxruntime"]["load_ms"] = graph.load_ms
    metrics = score(unit.task, predictions)
    yield Outcome(
        repetition=probe.repetition,
        metrics=metrics,
        predictions=predictions,
        cost={
            "phases": clock.phases,
            "trainable_parameters": probe.trainable,
            **features.made.cost(),
            "latency": timed,
            **_drawn(timed["onnxruntime"]),
            "graph_mb": graph.bytes / 2**20,
            "graph_nodes": len(graph.model.graph.node),
        },
        digests={**cases.digests(), **features.made.digests()},
        notes={
            "graph": {
                "opset": options.opset,
                "preprocess": IN_GRAPH if graph.prepares else OUTSIDE,
                "moved_outside": broken,
                "verdict": _verdict(metrics),
                "packages": {name: metadata.version(name) for name in PACKAGES},
            },
            "chosen": dict(probe.chosen),
            "subset": dict(probe.subset.facts),
            **probe.notes,
            "backbone": dict(features.made.facts),
            **cases.notes(),
        },
    )


def _drawn(timed: Mapping[str, Any]) -> dict[str, float]:
    """Return the median of one image at a time, which figures draw, where it is timed."""
    return {"latency_ms": timed["1"]["p50_ms"]} if "1" in timed else {}


class _Clock:
    """The seconds of each phase, which are shown as they begin."""

    def __init__(self, context: Context) -> None:
        self.context, self.phases, self.last = context, dict[str, float](), time.perf_counter()

    def lap(self, phase: str) -> None:
        """End a phase."""
        now = time.perf_counter()
        self.phases[phase], self.last = now - self.last, now
        self.context.progress(f"after {phase}", len(self.phases), 5)


@dataclass
class Graph:
    """A graph in ONNX Runtime.

    Attributes:
        prepares: whether it takes images, or pixels that are prepared.
        threads: of the runtime.
    """

    model: Any
    prepares: bool
    threads: int

    def __post_init__(self) -> None:
        content = self.model.SerializeToString()
        self.bytes, began = len(content), time.perf_counter()
        self.session = session(content, self.threads)
        self.load_ms = (time.perf_counter() - began) * 1000

    def with_images(self, network: Network) -> Any:
        """Return a function of uint8 images [B, H, W] or [B, H, W, 3] that gives logits [B, C]."""
        prepare = network.loaded.encoder.preprocess

        def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
            given = {IMAGES: images if images.ndim == 4 else images[..., None]}
            if not self.prepares:
                given = {PIXELS: prepare(torch.from_numpy(images)).numpy()}
            [logits] = self.session.run([OUTPUTS], given)
            return np.asarray(logits, np.float32)

        return run


def _eager(network: Network) -> Any:
    """Return the same function of torch."""
    prepare = network.loaded.encoder.preprocess

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            logits: NDArray[np.float32] = network.module(prepare(torch.from_numpy(images))).numpy()
        return logits

    return run


def _equal(
    plain: Any,
    network: Network,
    images: Images,
    truth: Predictions,
    options: OnnxOptions,
) -> tuple[Graph, NDArray[np.float32], Mapping[str, float | None] | None]:
    """Return the graph in float32, its logits, and what parity said where it was moved.

    Preprocessing is in the graph, as long as that is equal to torch; else it stands outside.
    """
    prepare: Preprocess = network.loaded.encoder.preprocess
    broken: Mapping[str, float | None] | None = None
    if options.preprocess == IN_GRAPH:
        graph = Graph(with_preprocessing(plain, prepare), True, options.threads)
        logits = _by_blocks(images, graph.with_images(network))
        seen = parity({**truth, "test_logits": logits, **_bound("fp32")})
        if seen["passed"]:
            return graph, logits, None
        broken = {"max-rel": seen["max-rel"], "auc-difference": seen["auc-difference"]}
    graph = Graph(plain, False, options.threads)
    return graph, _by_blocks(images, graph.with_images(network)), broken


def _bound(precision: str) -> dict[str, NDArray[np.float64]]:
    return {"parity_bound": np.array([BOUND[precision]])}


def _predictions(cases: Cases, network: Network, images: Images) -> dict[str, NDArray[Any]]:
    """Return what is known of the test images before anything is exported."""
    split = cases.dataset.splits[TEST]
    known: dict[str, NDArray[Any]] = {
        "test_torch_logits": _by_blocks(images, _eager(network)),
        "test_labels": cases.labels[TEST],
        "test_case": np.arange(split.cases, dtype=np.int64),
    }
    if split.case_groups is not None:
        known["test_group"] = split.case_groups
    return known


def _by_blocks(images: Images, apply: Any) -> NDArray[np.float32]:
    """Return what a function gives of all images, some at a time."""
    count = images.shape[0]
    blocks = (images.read(k, min(k + BATCH, count)) for k in range(0, count, BATCH))
    return np.concatenate([apply(np.array(block)) for block in blocks])


def _verdict(metrics: Mapping[str, float | None]) -> str:
    """Return what parity says, in words."""
    shown = {
        "max-rel": "logits differ by up to {:.1e} of the largest",
        "auc-difference": "AUC by {:.1e}",
    }
    values = {name: metrics[f"onnx-parity/{name}"] for name in shown}
    parts = [shown[name].format(value) for name, value in values.items() if value is not None]
    passed = metrics["onnx-parity/passed"] == 1
    return f"{'equal' if passed else 'not equal'} to torch: {', '.join(parts)}"

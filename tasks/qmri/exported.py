"""A network of voxels' signals in ONNX Runtime: its graph, and how long a voxel takes."""

from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from omnibench.exporters.onnx_graph import OUTPUTS, session, to_onnx
from omnibench.exporters.opset import OLDEST, PACKAGES
from omnibench.tasks.deployment.latency import latencies, torch_threads

from .networks import Networks
from .options import SLICE

SIGNALS = "signals"
Floats = NDArray[np.floating[Any]]
Estimate = Callable[[Floats], Floats]  # signals [N, B] -> parameters [N, 4]


class _Alone(nn.Module):
    """The first of some networks: signals [N, B] in, parameters [N, 4] out."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.networks = networks

    def forward(self, signals: Tensor) -> Tensor:
        parameters: Tensor = self.networks(signals)[0]
        return parameters


def graph_of(network: Networks) -> bytes:
    """Return the graph of one network: `signals` float32 [N, B] in, `outputs` [N, 4] out."""
    width = network.weights[0].shape[1]
    model = to_onnx(_Alone(network), (width,), "the network `mlp`", inputs=SIGNALS)
    content: bytes = model.SerializeToString()
    return content


def estimate_in_onnx(graph: bytes) -> Estimate:
    """Return what estimates parameters by a graph in ONNX Runtime, on one thread."""
    runtime = session(graph)

    def estimate(signals: Floats) -> Floats:
        [parameters] = runtime.run([OUTPUTS], {SIGNALS: signals.astype(np.float32, copy=False)})
        return np.asarray(parameters)

    return estimate


def facts_of_graph(metrics: Mapping[str, float | None]) -> dict[str, Any]:
    """Return what a record notes of its graph: operator set, packages, and parity in words."""
    off = metrics["onnx-parity/max-rel-parameter"]
    equal = "equal" if metrics["onnx-parity/passed"] == 1 else "not equal"
    by = "" if off is None else f": estimates differ by up to {off:.1e} of a parameter's largest"
    return {
        "opset": OLDEST,
        "verdict": f"{equal} to torch{by}",
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }


def microseconds(
    networks: Mapping[str, Estimate], fit: Estimate, signals: Floats
) -> dict[str, Any]:
    """Return for each answer and number of voxels at a time how many microseconds a voxel takes.

    Networks take turns, on one thread, with one voxel and with a slice; the fit comes after them,
    with a slice alone, as its time hangs on the voxel.

    Args:
        signals: [N, B] of which slices are cut; repeated where they are too few.
    """
    with torch_threads(1):
        timed = {
            **latencies(networks, signals, (1, SLICE)),
            **latencies({"fit": fit}, signals, (SLICE,)),
        }
    return {
        name: {voxels: _of_a_voxel(times, int(voxels)) for voxels, times in own.items()}
        for name, own in timed.items()
    }


def _of_a_voxel(times: Mapping[str, Any], voxels: int) -> dict[str, float]:
    per_voxel = {
        name.replace("_ms", "_us"): value * 1000 / voxels
        for name, value in times.items()
        if name.endswith("_ms")
    }
    return {**per_voxel, "runs": times["runs"]}

"""A folder with `model.onnx`, which takes images and prepares them itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from omnibench.errors import RequestError
from omnibench.exporters.onnx_graph import (
    IMAGES,
    OUTPUTS,
    require_onnx,
    session,
    to_onnx,
    with_preprocessing,
)
from omnibench.exporters.opset import OLDEST
from omnibench.files import write_atomically
from omnibench.training.trained_network import Network, network_of

CLOSE = 1e-4  # of the largest output
PROBES = ((3, 37, 61, 1), (2, 300, 200, 3))  # images [B, H, W, C] that get larger, and smaller


def export(record: Mapping[str, Any], weights: Path, folder: Path) -> str:
    """Write the folder, once the graph gives what torch gives; returns how to load it."""
    require_onnx()
    from onnx import helper

    network = network_of(record, weights)
    encoder, spec = network.loaded.encoder, record["spec"]
    name, size = f"{spec['backbone']} with {spec['short']}", encoder.preprocess.size
    model = with_preprocessing(to_onnx(network.module, (3, size, size), name), encoder.preprocess)
    about = {"record": record["digest"], "outputs": network.outputs, "made_by": "omnibench"}
    helper.set_model_props(model, about)
    content = model.SerializeToString()
    _check(content, network, name)
    write_atomically(folder / "model.onnx", content)
    write_atomically(folder / "README.md", _card(record, network).encode())
    return (
        f"load it with onnxruntime.InferenceSession('{folder / 'model.onnx'}'); it takes `{IMAGES}`"
        f", uint8 [B, H, W, 1 or 3] of any size, and gives `{OUTPUTS}`, {network.outputs}"
    )


def _check(content: bytes, network: Network, name: str) -> None:
    """Be sure that the graph gives what torch gives, of images that it makes larger and smaller.

    Raises:
        RequestError: it does not.
    """
    graph, encoder = session(content), network.loaded.encoder
    generator = np.random.default_rng(0)
    for shape in PROBES:
        images: NDArray[np.uint8] = generator.integers(0, 256, shape, np.uint8)
        [own] = graph.run([OUTPUTS], {IMAGES: images})
        array = torch.from_numpy(images)
        with torch.inference_mode():
            pixels = encoder.preprocess(array[..., 0] if shape[-1] == 1 else array)
            expected = network.module(pixels).numpy()
        off = float(np.abs(own - expected).max())
        if not off <= CLOSE * float(np.abs(expected).max()):
            raise RequestError(
                f"{name}: its graph is off by {off:.3g} from what torch gives, so that nothing was "
                "written; the task `deployment` measures where"
            )


def _card(record: Mapping[str, Any], network: Network) -> str:
    spec, encoder = record["spec"], network.loaded.encoder
    rows = {
        "record": f"`{record['digest']}`",
        "opset": OLDEST,
        "input size": encoder.preprocess.size,
    }
    lines = [
        f"# {spec['backbone']} with {spec['short']}, of {spec['task']} on {spec['dataset']}",
        "",
        f"`model.onnx` takes `{IMAGES}`, uint8 [B, H, W, 1 or 3] of any size, resizes and "
        f"normalises them itself, and gives `{OUTPUTS}`: {network.outputs}.",
        "",
        "| | |",
        "| --- | --- |",
        *[f"| {name} | {value} |" for name, value in rows.items()],
        "",
        "```python",
        "import onnxruntime",
        "",
        'session = onnxruntime.InferenceSession("model.onnx")',
        f'[outputs] = session.run(["{OUTPUTS}"], {{"{IMAGES}": images}})',
        "```",
        "",
    ]
    return "\n".join(lines)

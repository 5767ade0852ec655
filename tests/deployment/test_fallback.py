"""Images are prepared outside of the graph where the graph's own resizing is not torch's."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from omnibench.catalogue import tasks
from omnibench.data import ArrayImages
from omnibench.encoders.preprocess import Preprocess
from omnibench.exporters import onnx_graph
from omnibench.tasks.deployment import runner
from omnibench.tasks.deployment.options import OnnxOptions
from omnibench.training.trained_network import Network

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")

SIZE = 8
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def test_a_planted_resize_difference_moves_preprocessing_outside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE**2, 3)).requires_grad_(False)
    prepare = Preprocess(SIZE, MEAN, STD, torch.device("cpu"), torch.float32)
    loaded: Any = SimpleNamespace(encoder=SimpleNamespace(preprocess=prepare))
    network = Network(module, loaded, "logits [B, C]")
    plain = onnx_graph.to_onnx(module, (3, SIZE, SIZE), "tiny")
    pixels = np.random.default_rng(0).integers(0, 256, (12, 40, 40), np.uint8)
    images = ArrayImages(pixels)
    truth: dict[str, Any] = {
        "test_torch_logits": runner._by_blocks(images, runner._eager(network)),
        "test_labels": np.arange(12) % 3,
    }
    graph, logits, broken = runner._equal(plain, network, images, truth, OnnxOptions())
    assert (graph.prepares, broken) == (True, None)
    own = onnx_graph._filter

    def without_antialiasing(axis: str) -> list[Any]:
        nodes = own(axis)
        for node in nodes:
            if node.op_type == "Max":  # of the half width: a new pixel's counts no longer
                node.input[0] = "float-one"
        return nodes

    monkeypatch.setattr(onnx_graph, "_filter", without_antialiasing)
    graph, logits, broken = runner._equal(plain, network, images, truth, OnnxOptions())
    assert not graph.prepares
    assert broken is not None
    assert broken["max-rel"] is not None
    assert broken["max-rel"] > 1e-2
    largest = np.abs(truth["test_torch_logits"]).max()
    np.testing.assert_allclose(logits, truth["test_torch_logits"], rtol=0, atol=1e-4 * largest)
    record = {"notes": {"graph": {"moved_outside": broken}}, "metrics": {"onnx-parity/passed": 1.0}}
    assert list(tasks.get("deployment").doubts([record], 12)) == [
        "images are prepared outside of the graph, since parity broke inside"
    ]

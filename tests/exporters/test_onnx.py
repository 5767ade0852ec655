"""Graphs of ONNX give what torch gives, in ONNX Runtime and in ONNX's own evaluator in numpy."""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import timm
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from omnibench.adapt import LORA
from omnibench.adapt.low_rank import merge_lora
from omnibench.adapt.trainable import Trainable, attach
from omnibench.encoders.preprocess import Preprocess
from omnibench.encoders.timm_encoder import TimmEncoder
from omnibench.errors import RequestError
from omnibench.exporters.onnx_graph import (
    IMAGES,
    OUTPUTS,
    PIXELS,
    require_onnx,
    session,
    to_onnx,
    with_preprocessing,
)
from omnibench.tasks.classification.classifier import Classifier
from omnibench.tasks.deployment.metrics import parity
from omnibench.tasks.deployment.quantised import quantised
from omnibench.tasks.segmentation.deployed import MapsNetwork
from omnibench.tasks.segmentation.heads import UNet

onnx = pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")

SIZE, CLOSE = 32, 1e-4
PREPARE = Preprocess(SIZE, (0.3, 0.4, 0.5), (0.2, 0.3, 0.4), torch.device("cpu"), torch.float32)
SHAPES = ((3, 20, 27, 1), (2, 61, 40, 3))  # images that get larger, and smaller
NETWORKS = ("vit-lora", "cnn", "decoder")


def vit(depth: int) -> TimmEncoder:
    module = timm.create_model(
        "vit_tiny_patch16_224",
        num_classes=0,
        img_size=SIZE,
        patch_size=8,
        embed_dim=48,
        num_heads=3,
        depth=depth,
    )
    return TimmEncoder(module.eval().requires_grad_(False), PREPARE)


def with_lora() -> nn.Module:
    """Return a ViT of two blocks whose LoRA is trained, so to speak, and merged."""
    encoder = vit(2)
    trainable = attach(
        LORA, encoder, {"r": 4, "alpha": 8, "dropout": 0.1, "sites": "all-linear", "head": "full"}
    )
    model = Classifier(trainable, nn.Linear(48, 3), dropout=0.0).eval()
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.1)
    pixels = torch.randn(2, 3, SIZE, SIZE)
    with torch.inference_mode():
        before = model(pixels)
    merge_lora(model)
    with torch.inference_mode():
        torch.testing.assert_close(model(pixels), before)
    assert not any("lora" in name for name in model.state_dict())
    return model


def cnn() -> nn.Module:
    module = timm.create_model("test_efficientnet", num_classes=0).eval().requires_grad_(False)
    encoder = TimmEncoder(module, PREPARE)
    head = nn.Linear(encoder.width, 3)
    return Classifier(Trainable(encoder, gradients=False), head, dropout=0.0)


def decoder() -> nn.Module:
    encoder = vit(3)
    maps = encoder.maps(torch.zeros(1, SIZE, SIZE, dtype=torch.uint8), (0, 1, 2))
    shapes = [(level.shape[1], level.shape[2], level.shape[3]) for level in maps]
    return MapsNetwork(encoder, (0, 1, 2), UNet.on_live(shapes, True, 2), 1.0, 0.0)


@cache
def exported(name: str) -> tuple[nn.Module, Any]:
    """Return a network and its graph, made once."""
    torch.manual_seed(0)
    makers: dict[str, Callable[[], nn.Module]] = {
        "vit-lora": with_lora,
        "cnn": cnn,
        "decoder": decoder,
    }
    network = makers[name]().eval().requires_grad_(False)
    return network, to_onnx(network, (3, SIZE, SIZE), name)


def images_of(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def by_torch(network: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    array = torch.from_numpy(images)
    with torch.inference_mode():
        outputs: NDArray[np.float32] = network(
            PREPARE(array[..., 0] if images.shape[-1] == 1 else array)
        ).numpy()
    return outputs


@pytest.mark.parametrize("name", NETWORKS)
def test_three_implementations_agree_on_images_of_any_size(name: str) -> None:
    from onnx.reference import ReferenceEvaluator

    network, plain = exported(name)
    whole = with_preprocessing(plain, PREPARE)
    onnx.checker.check_model(whole, full_check=True)
    runtime, evaluator = session(whole.SerializeToString()), ReferenceEvaluator(whole)
    for shape in SHAPES:
        images = images_of(shape)
        expected = by_torch(network, images)
        bound = CLOSE * float(np.abs(expected).max())
        assert bound > 0
        for run in (runtime.run, evaluator.run):
            outputs: Any
            [outputs] = run([OUTPUTS], {IMAGES: images})
            np.testing.assert_allclose(outputs, expected, rtol=0, atol=bound)


def test_a_missing_normalisation_fails_parity() -> None:
    network, plain = exported("cnn")
    images = images_of((8, 40, 40, 1))
    truth: dict[str, Any] = {
        "test_torch_logits": by_torch(network, images),
        "test_labels": np.arange(8) % 3,
        "parity_bound": np.array([CLOSE]),
    }
    planted = replace(PREPARE, mean=(0.0, 0.0, 0.0), std=(1 / 255, 1 / 255, 1 / 255))
    passed = []
    for prepare in (PREPARE, planted):
        graph = session(with_preprocessing(plain, prepare).SerializeToString())
        [logits] = graph.run([OUTPUTS], {IMAGES: images})
        passed.append(parity({**truth, "test_logits": logits})["passed"])
    assert passed == [1, 0]


def test_weights_of_matrix_products_become_int8_and_little_else_changes() -> None:
    network, plain = exported("vit-lora")
    small = quantised(with_preprocessing(plain, PREPARE))
    kinds = [node.op_type for node in small.graph.node]
    assert (
        kinds.count("MatMulInteger") == 9
    )  # qkv, projection and two of the MLP twice, and the head
    assert "ConvInteger" not in kinds
    assert small.ByteSize() < 0.6 * plain.ByteSize()
    images = images_of(SHAPES[0])
    [outputs] = session(small.SerializeToString()).run([OUTPUTS], {IMAGES: images})
    expected = by_torch(network, images)
    off = np.abs(outputs - expected).max() / np.abs(expected).max()
    assert CLOSE < off < 0.5  # a share of logits near 0, as the network is drawn at random


@pytest.mark.parametrize("side", [(20, 20), (32, 32), (33, 70), (300, 90)])
def test_resizing_in_the_graph_is_that_of_pillow(side: tuple[int, int]) -> None:
    from onnx import TensorProto, helper

    shape: Any = ["batch", 3, SIZE, SIZE]
    graph = helper.make_graph(
        [helper.make_node("Identity", [PIXELS], [OUTPUTS])],
        "identity",
        [helper.make_tensor_value_info(PIXELS, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(OUTPUTS, TensorProto.FLOAT, shape)],
    )
    identity = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    plain = replace(PREPARE, mean=(0.0, 0.0, 0.0), std=(1 / 255, 1 / 255, 1 / 255))
    images = images_of((1, *side, 1))
    runtime = session(with_preprocessing(identity, plain).SerializeToString())
    [pixels] = runtime.run([OUTPUTS], {IMAGES: images})
    picture = Image.fromarray(images[0, ..., 0].astype(np.float32))
    expected = np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.BILINEAR))
    for channel in pixels[0]:
        np.testing.assert_allclose(channel, expected, atol=2e-4)


class Eigenvalues(nn.Module):
    """Calls what ONNX has no operator for."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, pixels: Tensor) -> Tensor:
        values: Tensor = torch.linalg.eigvals(pixels[:, 0])
        return values.real * self.weight


class OfOneBatch(Eigenvalues):
    """Reads the size of its batch as a number."""

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.reshape(len(pixels), -1) * self.weight


@pytest.mark.parametrize(
    ("kind", "opset", "message"),
    [
        ("eigenvalues", 18, "net cannot be written as a graph of ONNX .*eig"),
        ("one batch", 18, "net cannot be written as a graph of ONNX .*batch"),
        ("eigenvalues", 11, "net: opset 11 is too old: torch writes graphs of opset 18 and later"),
    ],
)
def test_what_cannot_be_exported_is_a_sentence(kind: str, opset: int, message: str) -> None:
    network = Eigenvalues() if kind == "eigenvalues" else OfOneBatch()
    with pytest.raises(RequestError, match=message) as caught:
        to_onnx(network, (3, 8, 8), "net", opset)
    assert "\n" not in str(caught.value)


def test_an_absent_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(RequestError, match=r"run `pip install 'omnibench\[onnx\]'`"):
        require_onnx()

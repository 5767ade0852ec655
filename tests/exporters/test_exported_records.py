"""What `export` writes of records, as others load it: of CNNs, and of pretrained backbones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from omnibench.encoders.preprocess import Preprocess
from omnibench.execute import execute_unit
from omnibench.exporters.onnx_graph import IMAGES, OUTPUTS, session
from omnibench.pretrained import register_recorded
from omnibench.session import Places, Session
from tests.conftest import Bench

onnx = pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")

# The frozen CNN has batch norms with statistics; `mine` is a name of this suite alone.
SUITE = """
name: kept
plugins: [start.py]
backbones:
  - cnn
  - id: mine
    pretrain: {method: mae, architecture: start, dataset: ['npz:two.npz'], decoder_width: 16,
      decoder_depth: 1, decoder_heads: 2, recipe: {input_size: 32, epochs: 1, batch: 8,
      warmup_epochs: 0, precision: fp32}}
matrix:
  - {task: segmentation, datasets: ['npz:two.npz'], backbones: [cnn], adaptations: [linear],
      recipe: {input_size: 32, epochs: 1, batch: 8, warmup_epochs: 0, precision: fp32,
      keep_masks: true}, keep: weights}
  - {task: classification, datasets: ['npz:two.npz'], backbones: [mine, cnn],
      adaptations: [{linear: {solver: lbfgs}}], recipe: {input_size: 64,
      precision: fp32}, keep: weights}
"""
PLUGIN = """
from omnibench import BackboneCard, register_backbone
register_backbone(BackboneCard(id="start", source="random:test_vit", pool="cls"))
register_backbone(BackboneCard(id="cnn", source="random:test_efficientnet"))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the records of the suite."""
    folder = tmp_path / "kept"
    folder.mkdir()
    rng = np.random.default_rng(0)
    arrays = dict[str, Any]()
    for split in ("train", "val", "test"):
        labels = np.arange(8) % 2
        masks = np.zeros((8, 32, 32), np.uint8)
        masks[labels == 1, 8:20, 8:20] = 1
        arrays |= {f"{split}_images": rng.integers(0, 90, masks.shape).astype(np.uint8)}
        arrays |= {f"{split}_label": masks, f"{split}_labels": labels}
    np.savez(folder / "two.npz", **arrays)
    (folder / "start.py").write_text(PLUGIN)
    (folder / "kept.yaml").write_text(SUITE)
    session = Session.open(Places(results=folder / "results", data=folder / "data"))
    context = session.context("cpu", 1)
    for unit in session.suite(str(folder / "kept.yaml"))[1]:
        assert execute_unit(unit, context).repetitions == {0: None}
        register_recorded(context.results)
    return folder


def test_graphs_of_records_give_what_their_cells_predicted(
    bench: Bench, folder: Path, tmp_path: Path
) -> None:
    images = np.load(folder / "two.npz")["test_images"][..., None]
    places = ("--plugin", folder / "start.py", "--results", folder / "results")
    for task, stored in (("segmentation", "test_mask"), ("classification", "test_logits")):
        backbone = "cnn" if task == "segmentation" else "mine"
        [path] = (folder / f"results/records/{task}").glob(f"*/{backbone}/*/rep-0-????????.json")
        digest, out = json.loads(path.read_text())["digest"], tmp_path / task
        status, _, err = bench("export", digest[:8], out, "--format", "onnx", *places)
        assert status == 0, err
        assert "Skipping" not in err
        model = onnx.load(out / "model.onnx")
        onnx.checker.check_model(model, full_check=True)
        [outputs] = session(model.SerializeToString()).run([OUTPUTS], {IMAGES: images})
        expected: NDArray[Any] = np.load(path.with_suffix(".predictions.npz"))[stored]
        if task == "segmentation":
            assert (outputs.argmax(axis=1).reshape(expected.shape) == expected).mean() > 0.999
            assert expected.any()
        else:
            np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-4 * abs(outputs).max())


def prepared(images: NDArray[np.uint8], mean: Any, std: Any, size: int) -> torch.Tensor:
    prepare = Preprocess(size, tuple(mean), tuple(std), torch.device("cpu"), torch.float32)
    return prepare(torch.from_numpy(images))


def test_timm_loads_what_records_predicted_and_embed(
    bench: Bench, folder: Path, tmp_path: Path
) -> None:
    images = np.load(folder / "two.npz")["test_images"]
    places = ("--plugin", folder / "start.py", "--results", folder / "results")

    def exported(path: Path, *form: str) -> Path:
        digest = json.loads(path.read_text())["digest"]
        out = tmp_path / "-".join(("out", digest[:8], *form))
        status, _, err = bench("export", digest, out, *form, *places)
        assert status == 0, err
        return out

    def by_timm(out: Path, size: int) -> NDArray[np.float32]:
        model: Any = timm.create_model(f"local-dir:{out}", pretrained=True).eval()
        config = model.pretrained_cfg
        assert list(config["input_size"]) == [3, size, size]
        with torch.inference_mode():
            outputs: NDArray[np.float32] = model(
                prepared(images, config["mean"], config["std"], size)
            ).numpy()
        return outputs

    for backbone in ("cnn", "mine"):
        # `mine` was pretrained at another input size, without a head.
        path = next((folder / f"results/records/classification/npz-two/{backbone}").rglob("*.json"))
        logits = np.load(path.with_suffix(".predictions.npz"))["test_logits"]
        np.testing.assert_allclose(
            by_timm(exported(path), 64), logits, rtol=0, atol=1e-4 * abs(logits).max()
        )
    path = next((folder / "results/records/pretraining").rglob("rep-*.json"))
    notes = json.loads(path.read_text())["notes"]
    plain: Any = timm.create_model("test_vit", num_classes=0, img_size=32).eval()
    plain.load_state_dict(load_file(path.with_suffix(".safetensors")))
    with torch.inference_mode():
        tokens = plain.forward_features(prepared(images, notes["mean"], notes["std"], 32))
    mean = tokens[:, plain.num_prefix_tokens :].mean(dim=1).numpy()  # as `mae` embeds
    np.testing.assert_allclose(by_timm(exported(path), 32), mean, atol=1e-5)
    graph = (exported(path, "--format", "onnx") / "model.onnx").read_bytes()
    [outputs] = session(graph).run([OUTPUTS], {IMAGES: images[..., None]})
    np.testing.assert_allclose(outputs, mean, atol=1e-5)

"""Graphs of dense targets give what their cells measured: of two channels, and a wider decoder."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.execute import execute_unit
from omnibench.exporters.onnx_graph import IMAGES, OUTPUTS, session
from omnibench.session import Places, Session
from tests.conftest import Bench

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")

SIZE = 32
SUITE = """
name: dense
backbones: [{id: start, source: 'random:test_vit', pool: cls}]
matrix:
  - {task: dense, datasets: ['npz:two.npz'], adaptations: [{decoder: {width: 24, detail: true}}],
      recipe: {input_size: 32, epochs: 2, batch: 8, warmup_epochs: 0, precision: fp32},
      keep: weights}
"""
PLUGIN = """
from omnibench import BackboneCard, register_backbone
register_backbone(BackboneCard(id="start", source="random:test_vit", pool="cls"))
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    arrays = dict[str, Any]()
    for split in ("train", "val", "test"):
        images = rng.integers(0, 256, (8, SIZE, SIZE)).astype(np.uint8)
        maps = np.stack([images / 100, 2 - images / 300], axis=-1).astype(np.float32)
        arrays |= {f"{split}_images": images, f"{split}_targets": maps}
    np.savez(tmp_path / "two.npz", **arrays)
    (tmp_path / "two.yaml").write_text("maps: {unit: mm, range: [0, 3], channels: [up, down]}\n")
    (tmp_path / "start.py").write_text(PLUGIN)
    path = tmp_path / "dense.yaml"
    path.write_text(SUITE)
    return path


def computed(suite: Path) -> dict[str, Any]:
    """Compute the only cell of a suite; return its record."""
    session = Session.open(Places(results=suite.parent / "results", data=suite.parent / "data"))
    [unit] = session.suite(str(suite))[1]
    assert execute_unit(unit, session.context("cpu", 1, force=True)).repetitions == {0: None}
    paths = (suite.parent / "results/records").rglob(f"rep-0-{unit.cells[0].digest[:8]}.json")
    record: dict[str, Any] = json.loads(next(paths).read_text())
    return record


def test_a_graph_of_two_channels_has_the_error_of_its_cell(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    record = computed(suite)
    request = (record["digest"], tmp_path / "out", "--format", "onnx")
    places = ("--results", tmp_path / "results", "--plugin", tmp_path / "start.py")
    status, out, err = bench("export", *request, *places)
    assert status == 0, err
    assert "maps [B, 2, S, S] in mm" in " ".join(out.split())
    arrays = np.load(tmp_path / "two.npz")
    images: NDArray[np.uint8] = arrays["test_images"][..., None]
    graph = (tmp_path / "out/model.onnx").read_bytes()
    [outputs] = session(graph).run([OUTPUTS], {IMAGES: images})
    error = float(np.abs(np.moveaxis(outputs, 1, -1) - arrays["test_targets"]).mean())
    assert error == pytest.approx(record["metrics"]["dense-error/mae"], rel=1e-4)


def test_what_is_added_to_its_images_is_refused(bench: Bench, suite: Path, tmp_path: Path) -> None:
    suite.write_text(SUITE.replace("epochs: 2", "epochs: 1, residual: true"))
    (tmp_path / "two.yaml").write_text("maps: {unit: mm, range: [0, 3]}\n")
    arrays = dict(np.load(tmp_path / "two.npz"))
    np.savez(
        tmp_path / "two.npz",
        **{name: a[..., 0] if name.endswith("targets") else a for name, a in arrays.items()},
    )
    request = (computed(suite)["digest"], tmp_path / "out", "--format", "onnx")
    places = ("--results", tmp_path / "results", "--plugin", tmp_path / "start.py")
    status, _, err = bench("export", *request, *places)
    assert (status, "(`residual: true`), and no network adds it" in " ".join(err.split())) == (
        2,
        True,
    )
    assert not (tmp_path / "out").exists()

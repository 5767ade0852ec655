"""From `{trained: ...}` to a backbone: the encoder that a trained cell leaves, used beyond it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file

from omnibench.cards import BackboneCard
from omnibench.encoders.build import load_encoder
from tests.conftest import Bench

pytestmark = pytest.mark.usefixtures("in_process")

RECIPE = "{input_size: 32, epochs: 2, batch: 8, warmup_epochs: 0, precision: fp32}"
SUITE = f"""
name: trained
backbones:
  - {{id: start, source: 'random:test_vit', pool: cls}}
  - id: seg
    trained: {{task: segmentation, dataset: 'npz:two.npz', backbone: start, recipe: {RECIPE}}}
  - {{id: both, fuse: [start, seg]}}
matrix:
  - {{task: segmentation, datasets: ['npz:two.npz'], backbones: [start], adaptations: [full],
      recipe: {RECIPE}}}
  - {{task: classification, datasets: ['npz:two.npz'], adaptations: [linear],
      recipe: {{input_size: 32, epochs: 2, precision: fp32}}}}
report: {{baseline: start}}
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    arrays = dict[str, Any]()
    for split in ("train", "val", "test"):
        labels = np.arange(16) % 2
        masks = np.zeros((16, 16, 16), np.uint8)
        masks[labels == 1, 4:9, 4:9] = 1
        images = rng.integers(0, 90, masks.shape) + 120 * masks
        arrays |= {f"{split}_images": images.astype(np.uint8), f"{split}_label": masks}
        arrays[f"{split}_labels"] = labels
    np.savez(tmp_path / "two.npz", **arrays)
    path = tmp_path / "trained.yaml"
    path.write_text(SUITE)
    return path


def cells(bench: Bench, suite: Path) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = json.loads(bench("plan", suite, "--json")[1])["cells"]
    return result


def record_in(folder: Path) -> tuple[Path, dict[str, Any]]:
    [path] = folder.glob("rep-0-*.json")
    return path, json.loads(path.read_text())


def test_a_trained_encoder_becomes_a_backbone(bench: Bench, suite: Path, tmp_path: Path) -> None:
    planned = cells(bench, suite)
    assert [(c["task"], c["backbone"], c["adaptation"], c["state"]) for c in planned] == [
        ("segmentation", "start", "full@backbone", "missing"),
        ("segmentation", "start", "full", "missing"),
        ("classification", "start", "linear", "missing"),
        ("classification", "seg", "linear", "missing"),
        ("classification", "both", "linear", "missing"),
    ]
    # What makes it comes along, of a fused one's member too.
    status, out, err = bench("run", suite, "--tasks", "classification", "--backbones", "both")
    assert (status, "2 of 2 cells done" in out) == (0, True), err
    assert bench("run", suite)[0] == 0
    assert [cell["digest"] for cell in cells(bench, suite)] == [c["digest"] for c in planned]

    folder = tmp_path / "results/records/segmentation/npz-two/start"
    (path, left), (plain, own) = record_in(folder / "full@backbone"), record_in(folder / "full")
    assert left["metrics"] == own["metrics"]  # the same cell, which keeps its weights
    assert left["digest"] != own["digest"]
    assert not plain.with_suffix(".safetensors").exists()
    weights = load_file(path.with_suffix(".safetensors"))
    drawn = timm.create_model("test_vit", num_classes=0).state_dict()
    assert weights.keys() == drawn.keys()
    assert not torch.equal(weights["blocks.0.attn.qkv.weight"], drawn["blocks.0.attn.qkv.weight"])

    name = f"trained-{left['digest'][:8]}"
    listed = {card["id"]: card for card in json.loads(bench("list", "backbones", "--json")[1])}
    assert name not in listed  # its start is a card of the suite alone
    card = BackboneCard(id="again", source=f"record:{left['digest'][:12]}", pool="cls")
    recipe = {"input_size": 32, "normalization": "backbone", "precision": "fp32"}
    loaded: Any = load_encoder(card, recipe, "cpu", tmp_path, tmp_path / "results").encoder
    state = loaded.module.state_dict()
    assert all(torch.equal(state[key], value) for key, value in weights.items())
    status, _, err = bench("export", left["digest"][:8], tmp_path / "out")
    assert (status, "`export` writes pretrained ones" in " ".join(err.split())) == (2, True)


def test_a_record_that_is_absent_blocks_and_is_named(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    suite.write_text(SUITE.replace("random:test_vit", f"record:{'0' * 64}"))
    planned = {cell["backbone"]: cell for cell in cells(bench, suite)}
    for name in ("start", "seg", "both"):
        assert planned[name]["state"] == "blocked"
        assert f"no record of a training {'0' * 64} below" in planned[name]["needs"][0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("task: segmentation, dataset:", "task: segment, dataset:", "trained.task: unknown task"),
        ("dataset: 'npz:", "dataset: 'npy:", "backbones[1].trained.dataset: "),
        ("backbone: start,", "backbone: strat,", "trained.backbone: unknown backbone 'strat'"),
        (
            "backbone: start,",
            "backbone: start, adaptation: decoder,",
            "trained.adaptation: 'decoder' of segmentation leaves no backbone that others can load "
            "(those that do: full)",
        ),
        (
            "backbone: start, recipe: {input_size: 32",
            "backbone: start, recipe: {input_size: [32, 64]",
            "trained.recipe: one training leaves one backbone",
        ),
        (
            "{id: both, fuse: [start, seg]}",
            f"{{trained: {{task: segmentation, dataset: 'npz:two.npz', backbone: seg, "
            f"recipe: {RECIPE}}}}}",
            "backbones[2].trained.backbone: 'seg' is what this suite makes",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_path(
    bench: Bench, suite: Path, old: str, new: str, message: str
) -> None:
    assert old in SUITE
    suite.write_text(SUITE.replace(old, new, 1))
    status, _, err = bench("plan", suite)
    assert (status, message in " ".join(err.split())) == (2, True), err


def test_a_network_that_timm_cannot_build_again_is_refused_before_it_is_trained(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    (tmp_path / "odd.py").write_text(
        "import timm\n"
        "def build():\n"
        "    module = timm.create_model('test_vit', num_classes=0, init_values=0.5)\n"
        "    return module\n"
    )
    text = SUITE.replace("source: 'random:test_vit'", "source: 'odd:build'")
    suite.write_text(text.replace("name: trained", "name: trained\nplugins: [odd.py]"))
    status, _, err = bench("run", suite, "--tasks", "segmentation", "--adaptations", "full@*")
    assert status != 0
    assert "timm does not build this network from the name" in " ".join(err.split())

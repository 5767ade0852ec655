"""From `{pretrain: ...}` to a backbone: plan, run, list, export; and two processes by torchrun."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch

from omnibench.catalogue import backbones
from tests.conftest import Bench

pytestmark = pytest.mark.usefixtures("in_process")

PRETRAIN = """
    pretrain:
      architecture: test_vit
      dataset: ['npz:two.npz', 'npz:more.npz']
      knn: 'npz:two.npz'
      recipe: {input_size: 32, load_size: 40, epochs: 1, batch: 8, micro_batch: 4, prototypes: 16,
               hidden: 16, bottleneck: 8, log_steps: 2, precision: fp32}
"""
SUITE = f"""
name: pre
backbones:
  - {{id: control, source: 'random:test_vit', pool: cls}}
  - {PRETRAIN.strip()}
    id: mine
matrix:
  - {{task: classification, datasets: ['npz:two.npz'], adaptations: [knn],
      recipe: {{input_size: 32, precision: fp32}}}}
report: {{baseline: control}}
"""


def write_npz(path: Path, count: int, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    arrays = dict[str, Any]()
    for split in ("train", "val", "test"):
        labels = np.arange(count) % 2
        images = rng.integers(0, 120, (count, 16, 16)) + 40 * labels[:, None, None]
        arrays |= {f"{split}_images": images.astype(np.uint8), f"{split}_labels": labels[:, None]}
    np.savez(path, **arrays)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    write_npz(tmp_path / "two.npz", 24)
    write_npz(tmp_path / "more.npz", 9, seed=1)
    path = tmp_path / "pre.yaml"
    path.write_text(SUITE)
    return path


def cells(bench: Bench, suite: Path) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = json.loads(bench("plan", suite, "--json")[1])["cells"]
    return result


def test_a_pretraining_becomes_a_backbone(bench: Bench, suite: Path, tmp_path: Path) -> None:
    planned = cells(bench, suite)
    assert [(c["task"], c["backbone"], c["state"]) for c in planned] == [
        ("pretraining", "test_vit", "missing"),
        ("classification", "control", "missing"),
        ("classification", "mine", "missing"),
    ]
    digest = planned[0]["digest"]
    status, out, _ = bench("run", suite, "--tasks", "classification", "--backbones", "mine")
    assert (status, "2 of 2 cells done" in out) == (0, True)  # what makes it comes along
    assert bench("run", suite)[0] == 0
    assert [c["digest"] for c in cells(bench, suite)] == [c["digest"] for c in planned]

    name = f"pretrain-{digest[:8]}"
    listed = {card["id"]: card for card in json.loads(bench("list", "backbones", "--json")[1])}
    assert listed[name]["source"] == f"record:{digest}"
    assert listed[name]["pretraining"] == ["npz-two", "npz-more"]
    assert name in backbones

    record = next((tmp_path / "results/records/pretraining").rglob("rep-*.json"))
    told = json.loads(record.read_text())
    assert told["notes"]["images"] == {"npz-two": 24, "npz-more": 9}
    assert told["spec"]["options"] == {"knn": "npz:two.npz"}
    steps = record.with_suffix(".steps.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in steps] == [0, 2, 4]
    assert record.with_suffix(".curves.png").read_bytes().startswith(b"\x89PNG")

    status, out, _ = bench("export", digest[:8], tmp_path / "out")
    assert status == 0
    loaded = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True)
    state = torch.cat([value.flatten() for value in loaded.state_dict().values()])
    from safetensors.torch import load_file

    saved = load_file(record.with_suffix(".safetensors"))
    assert torch.equal(state, torch.cat([saved[key].flatten() for key in loaded.state_dict()]))
    model_card = (tmp_path / "out" / "README.md").read_text()
    assert told["digest"] in model_card
    assert "| watched by the validation split of | npz:two.npz |" in model_card
    status, _, err = bench("export", digest[:8], tmp_path / "more", "--format", "tim")
    assert (status, "unknown export format 'tim'; did you mean timm" in err) == (2, True)


def test_what_another_labelled_set_watches_is_another_cell(bench: Bench, suite: Path) -> None:
    before = cells(bench, suite)[0]["digest"]
    suite.write_text(SUITE.replace("knn: 'npz:two.npz'", "knn: 'npz:more.npz'"))
    assert cells(bench, suite)[0]["digest"] != before


def test_a_batch_that_no_pool_fills_blocks_the_pretraining_before_it_runs(
    bench: Bench, suite: Path
) -> None:
    suite.write_text(SUITE.replace("batch: 8, micro_batch: 4", "batch: 64"))
    states = {cell["backbone"]: cell for cell in cells(bench, suite)}
    assert {name: cell["state"] for name, cell in states.items()} == {
        **{"test_vit": "blocked", "control": "missing", "mine": "blocked"},
    }
    need = "npz-two_npz-more: recipe.batch 64 exceeds the training split's 33 cases; lower it"
    assert states["test_vit"]["needs"] == states["mine"]["needs"] == [need]
    status, out, err = bench("run", suite)
    assert (status, f"blocked: {need}\n" in err) == (1, True)
    assert "1 of 3 cells done, 0 failed, 2 blocked" in out


def test_a_failed_pretraining_blocks_its_backbone_alone(bench: Bench, suite: Path) -> None:
    suite.write_text(SUITE.replace("batch: 8, micro_batch: 4", "batch: 8, lr: 1.0e+30"))
    status, _, err = bench("run", suite)
    assert status == 1
    err = " ".join(err.split())
    assert re.search("failed: pretraining/.*: the loss is nan", err)
    assert "pretraining/npz-two_npz-more/test_vit/dinov2-global did not end" in err
    actual = {c["backbone"]: c for c in cells(bench, suite)}
    assert {name: c["state"] for name, c in actual.items()} == {
        "test_vit": "failed",
        "control": "done",
        "mine": "blocked",
    }
    assert "their training failed; run again with --retry-failed" in actual["mine"]["needs"][0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "architecture: test_vit",
            "architecture: vit-tinny",
            "'vit-tinny' is no backbone",
        ),
        ("knn: 'npz:two.npz'", "kn: phantom", r"pretrain.kn: unknown"),
        ("npz:more.npz']", "phantomm']", r"pretrain.dataset: .*did you mean phantom"),
        ("npz:more.npz']", "npz:two.npz']", r"name each dataset once"),
        ("knn: 'npz:two.npz'", "knn: phantomm", r"pretrain.knn: .*did you mean phantom"),
        ("prototypes: 16", "prototype: 16", r"recipe.prototype: unknown field"),
        ("batch: 8, micro_batch: 4", "batch: 1", r"at least 2"),
        ("batch: 8, micro_batch: 4", "batch: 8, micro_batch: 3", r"micro_batch 3 does not divide"),
    ],
)
def test_a_wrong_pretraining_is_refused_by_its_path(
    bench: Bench, suite: Path, old: str, new: str, message: str
) -> None:
    assert old in SUITE
    suite.write_text(SUITE.replace(old, new))
    status, _, err = bench("plan", suite)
    assert status == 2
    assert re.search(message, err), err


def test_export_refuses_what_it_cannot_write(bench: Bench, suite: Path, tmp_path: Path) -> None:
    assert "no record of a training 12345678" in bench("export", "12345678", tmp_path / "out")[2]
    assert "is no digest" in bench("export", "../../x", tmp_path / "out")[2]


def test_two_processes_write_the_records_of_one(bench: Bench, suite: Path, tmp_path: Path) -> None:
    assert bench("run", suite)[0] == 0
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*launch, "-m", "omnibench", "run", str(suite), "--results", str(tmp_path / "both")]
    ended = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("3 of 3 cells done") == 1  # the second one is silent
    alone = sorted((tmp_path / "results" / "records").rglob("rep-*.json"))
    assert len(alone) == 3
    for path in alone:
        item = json.loads(path.read_text())
        both = json.loads((tmp_path / "both" / path.relative_to(tmp_path / "results")).read_text())
        assert both["digest"] == item["digest"]
        assert both["metrics"] == pytest.approx(item["metrics"], abs=1e-4, nan_ok=True)

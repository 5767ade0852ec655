"""`plan` and `data verify` of data as people have it: what it is taken for, what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Bench

PIL = pytest.importorskip("PIL.Image")


def suite(folder: Path, dataset: str, task: str, adaptations: str, **recipe: int) -> Path:
    path = folder / "own.yaml"
    path.write_text(
        f"name: own\nbackbones: [random-vit-tiny]\n"
        f"matrix: [{{task: {task}, datasets: ['{dataset}'], adaptations: {adaptations},"
        f" recipe: {json.dumps(recipe)}}}]\n"
    )
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        for index in range(4):
            path = tmp_path / "set" / split / "ab"[index % 2] / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            PIL.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(path)
    return tmp_path / "set"


def test_plan_says_what_a_dataset_is_taken_for(bench: Bench, tmp_path: Path, images: Path) -> None:
    (images / "train/a/x.dcm").write_bytes(b"x")
    path = suite(tmp_path, "folder:set", "classification", "[linear]", input_size=64)
    _, out, _ = bench("plan", path)
    assert "data folder-set: 4 train, 4 val, 4 test; binary labels: a 50 %, b 50 %; 8 x 8 px" in out
    assert "warning: data folder-set: left out, being no image by name: 1 .dcm" in out
    plan = json.loads(bench("plan", path, "--json")[1])
    assert plan["data"]["folder-set"]["left_out"] == {".dcm": 1}
    assert len(plan["warnings"]) == 1
    status, out, _ = bench("data", "verify", f"folder:{images}", "--json")
    verdicts = [row["verdict"] for row in json.loads(out)]
    assert (status, verdicts) == (0, ["PASS", "WARN"])


@pytest.mark.parametrize(
    ("adaptations", "recipe", "expected"),
    [
        (
            "[linear]",
            {"input_size": 60},
            "backbone random-vit-tiny: input size 60 is not a multiple of its patch size 16",
        ),
        (
            "[head]",
            {"input_size": 64},
            "folder-set: recipe.batch 32 exceeds the training split's 4 cases; lower it",
        ),
        ("[linear]", {"input_size": 64, "batch": 32}, ""),  # a probe's batch is cut
    ],
)
def test_plan_blocks_what_a_recipe_cannot_do(
    bench: Bench,
    tmp_path: Path,
    images: Path,
    adaptations: str,
    recipe: dict[str, int],
    expected: str,
) -> None:
    path = suite(tmp_path, "folder:set", "classification", adaptations, **recipe)
    _, out, _ = bench("plan", path)
    if expected:
        assert f"blocked: {expected}" in out
    assert ("1 blocked" in out) == bool(expected)


def test_plan_blocks_images_that_cannot_be_read(bench: Bench, tmp_path: Path, images: Path) -> None:
    path = suite(tmp_path, "folder:set", "classification", "[linear]", input_size=64)
    PIL.fromarray(np.zeros((8, 8), np.uint16)).save(images / "train/a/deep.png")
    _, out, _ = bench("plan", path)
    assert "own: 1 cells in 1 units; 1 blocked" in out
    assert "deep.png has more than 8 bits" in out
    status, out, _ = bench("data", "verify", f"folder:{images}")
    assert status == 1
    assert "FAIL" in out
    assert "deep.png has more than 8 bits" in out


def test_plan_blocks_floats_beyond_one_and_masks_that_leave_doubt(
    bench: Bench, tmp_path: Path
) -> None:
    content: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        content[f"{split}_images"] = np.full((4, 8, 8), 0.5, np.float32)
        content[f"{split}_label"] = np.arange(64, dtype=np.uint8).reshape(1, 8, 8).repeat(4, 0) % 3
    content["val_images"][2, 1, 1] = 1.5
    path = suite(tmp_path, "npz:own.npz", "segmentation", "[linear]", input_size=64, batch=2)
    np.savez(tmp_path / "own.npz", **content)
    assert "val_images holds 1.5 in image 2; float images must lie" in bench("plan", path)[1]
    content["val_images"][:] = 0.5
    content["test_label"][content["test_label"] == 2] = 255
    np.savez(tmp_path / "own.npz", **content)
    _, out, _ = bench("plan", path)
    assert "1 blocked" in out
    assert "declare them in a YAML file beside the data" in out
    (tmp_path / "data.npz").write_bytes((tmp_path / "own.npz").read_bytes())
    (tmp_path / "data.yaml").write_text("ignore: [255]")
    path = suite(tmp_path, "npz:data.npz", "segmentation", "[linear]", input_size=64, batch=2)
    _, out, _ = bench("plan", path)
    assert "1 missing" in out
    assert "(ignored)" in out

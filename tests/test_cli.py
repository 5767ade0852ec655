"""The command, as a user gives it: output, exit status, one clear sentence for each mistake."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import omnibench
from omnibench.record import as_bytes
from tests.conftest import Bench

pytestmark = pytest.mark.usefixtures("in_process")

SUITE = """
name: small
repetitions: 2
backbones: [{id: v, source: 'random:test_vit', pool: cls}, {id: w, source: 'random:test_vit2'}]
matrix:
  - {task: classification, datasets: ['npz:two.npz'], adaptations: [linear, knn],
     recipe: {input_size: 64, precision: fp32, epochs: 5}}
report: {baseline: v}
"""
PLUGIN = """
import torch
from torch import nn
from omnibench import BackboneCard, register_backbone

class Stem(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 12, 16, 16), nn.GELU())

register_backbone(BackboneCard(id="my-stem", source=f"{__name__}:Stem", width=12, patch=16))
"""
BROKEN = '''
import torch
from torch import nn
from omnibench import BackboneCard, register_backbone

class Tokens(nn.Module):
    """Gives a class token and 196 patches of width 24."""
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 24, 16, 16)
    def forward(self, x):
        patches = self.patch(x).flatten(2).transpose(1, 2)
        return torch.cat([patches.mean(1, keepdim=True), patches], dim=1)

source = f"{__name__}:Tokens"
register_backbone(BackboneCard(id="right", source=source, width=24, patch=16, prefix_tokens=1))
register_backbone(BackboneCard(id="wrong-width", source=source, width=99, prefix_tokens=1))
register_backbone(BackboneCard(id="no-prefix", source=source, width=24, patch=16))
'''


def write_npz(path: Path, count: int = 30) -> None:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        labels = np.arange(count) % 2
        images = rng.integers(0, 120, (count, 16, 16)) + 40 * labels[:, None, None]
        arrays[f"{split}_images"] = images.astype(np.uint8)
        arrays[f"{split}_labels"] = labels[:, None]
    np.savez(path, **arrays)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    write_npz(tmp_path / "two.npz")
    path = tmp_path / "small.yaml"
    path.write_text(SUITE)
    return path


def test_a_suite_from_plan_to_tables(bench: Bench, suite: Path, tmp_path: Path) -> None:
    status, out, _ = bench("plan", suite, "--json")
    plan = json.loads(out)
    assert status == 0
    assert [cell["state"] for cell in plan["cells"]] == ["missing"] * 6
    assert set(plan["cells"][0]) == {
        *("task", "dataset", "backbone", "adaptation", "labels", "repetition"),
        *("digest", "state", "needs"),
    }
    assert (plan["units"], plan["suite"]) == (4, "small")
    status, out, _ = bench("run", suite, "--threads", "1")
    assert status == 0
    assert "6 of 6 cells done" in out
    records = [json.loads(path.read_text()) for path in (tmp_path / "results").rglob("rep-*.json")]
    assert {record["environment"]["threads"] for record in records} == {1}
    status, out, _ = bench("status", suite, "--json")
    assert json.loads(out) == {
        "suite": "small",
        **{"done": 6, "failed": 0, "missing": 0, "running": 0, "queued": 0, "blocked": 0},
        "failures": [],
        "unregistered": [],
    }
    status, out, _ = bench("report", suite)
    assert status == 0
    assert "classification: v leads in 1" in out
    printed = (tmp_path / "results" / "reports" / "small" / "small.md").read_text()
    assert "| v | linear |" in printed
    assert "for new images and runs" in printed
    for kind in ("tex", "csv", "md"):
        assert (tmp_path / "results" / "reports" / "small" / f"small.{kind}").stat().st_size > 200
    assert "ece" in (tmp_path / "results" / "reports" / "small" / "small.csv").read_text()
    tidy = pd.read_parquet(tmp_path / "results" / "reports" / "small" / "results.parquet")
    pd.testing.assert_frame_equal(tidy, omnibench.results(suite))
    status, out, _ = bench("compare", "w", "v", "--json", "--metric", "auc")
    compared = json.loads(out)
    assert (compared["a"], compared["b"]) == ("w", "v")
    assert {row["adaptation"] for row in compared["rows"]} == {"linear", "knn"}
    design = "task dataset adaptation metric n_a n_b mean_a mean_b difference low high test p"
    assert {*design.split(), "p_corrected", "effect"} <= set(compared["rows"][0])
    status, out, _ = bench("run", suite)
    assert (status, "0 to compute" in out) == (0, True)


def test_rescoring_restores_metrics_from_predictions_without_torch(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    bench("run", suite)
    path = next((tmp_path / "results").rglob("rep-0-*.json"))
    record = json.loads(path.read_text())
    path.write_bytes(as_bytes({**record, "metrics": {}}))
    assert "1 changed" in bench("rescore", suite)[1]
    assert json.loads(path.read_text())["metrics"] == record["metrics"]


def test_filters_narrow_and_unknown_ones_are_refused(bench: Bench, suite: Path) -> None:
    cells = json.loads(bench("plan", suite, "--backbones", "w", "--repetitions", "1", "--json")[1])
    assert [(c["adaptation"], c["repetition"]) for c in cells["cells"]] == [("linear", 1)]
    status, _, err = bench("run", suite, "--adaptations", "lineer")
    assert (status, "did you mean linear" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "demmo"), "unknown suite 'demmo'; did you mean demo"),
        (("list", "backbone"), "did you mean backbones"),
        (("check", "dinov2-smal"), "unknown backbone 'dinov2-smal'; did you mean dinov2-small"),
        (("data", "fetch", "brestmnist"), "unknown dataset 'brestmnist'; did you mean breastmnist"),
        (("data", "fetch"), "name what to fetch"),
        (("weights", "get"), "knows list, fetch, not 'get'"),
        (("run", "demo", "--engine", "locl"), "unknown engine 'locl'; did you mean local"),
        (("run", "demo", "--plugin", "absent.py"), "does not exist"),
        (("run", "demo", "--repetitions", "x"), "is not of the form 0,2 or 0-4"),
        (("run", "demo", "--repetitions", "4-2"), "is not of the form 0,2 or 0-4"),
        (("run", "demo", "--repetitions", "0,,"), "is not of the form 0,2 or 0-4"),
        (("run", "demo", "--repetitions", "7"), "the filters leave no cell"),
        (("run", "demo", "--device", "warp"), "torch cannot use 'warp'"),
        (("run", "demo", "--engine", "slurm", "--threads", "2"), "--threads is of this machine"),
        (("run", "demo", "--engine", "ray", "--address", "x:1", "--threads", "2"), "--threads is"),
        (("compare", "a", "a"), "cannot be compared with itself"),
        (("report", "demo"), "has no finished cell"),
        (("compare", "a", "b"), "no finished record of a backbone 'a'"),
        (("speed", "nothing"), "no part 'nothing'"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_exit_2(
    bench: Bench, arguments: tuple[Any, ...], message: str
) -> None:
    status, _, err = bench(*arguments)
    assert status == 2
    assert message in err
    assert "Traceback" not in err


def test_a_results_folder_that_is_not_writable(bench: Bench, suite: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, _, err = bench("run", suite, "--results", tmp_path / "file" / "results")
    assert (status, "is not writable" in err) == (2, True)


def test_absent_weights_block_their_cells_by_name_and_the_others_run(
    bench: Bench, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omnibench.hub_access.unreachable", lambda: "the hub is out of reach")
    text = SUITE.replace("{id: v,", "dinov2-small, {id: v,").replace("linear, knn", "knn")
    suite.write_text(text)
    status, out, err = bench("run", suite)
    assert status == 1
    assert "2 of 3 cells done, 0 failed, 1 blocked" in out
    assert "blocked: weights dinov2-small: run `bench.py weights fetch dinov2-small`" in err
    assert bench("plan", suite)[1].count("blocked: weights dinov2-small") == 1
    status, _, err = bench("run", suite, "--backbones", "dinov2-small")
    assert status == 2
    assert "nothing can start" in err
    assert "model.safetensors" in err


def test_a_damaged_dataset_alone_is_exit_2_and_beside_others_exit_1(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.npz").write_bytes((tmp_path / "two.npz").read_bytes()[:900])
    suite.write_text(SUITE.replace("'npz:two.npz'", "'npz:bad.npz'"))
    status, _, err = bench("run", suite)
    assert (status, "bad.npz" in err) == (2, True)
    suite.write_text(SUITE.replace("'npz:two.npz'", "'npz:two.npz', 'npz:bad.npz'"))
    status, out, err = bench("run", suite, "--adaptations", "knn")
    assert (status, "2 of 4 cells done" in out, "bad.npz" in err) == (1, True, True)


def test_a_card_that_its_architecture_belies_is_blocked_by_name(bench: Bench, suite: Path) -> None:
    suite.write_text(SUITE.replace("'random:test_vit2'", "'random:test_vit', width: 9"))
    status, out, err = bench("run", suite, "--adaptations", "knn")
    assert status == 1
    assert "1 of 2 cells done, 0 failed, 1 blocked" in out
    assert "blocked: weights w: its card says width=9, the model has 64; correct the card" in err


def test_a_failing_cell_is_exit_1_and_named(bench: Bench, suite: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.pth").write_bytes(b"no weights")
    bad = "'file:bad.pth', architecture: test_vit"
    suite.write_text(SUITE.replace("'random:test_vit2'", bad))
    status, out, err = bench("run", suite, "--adaptations", "knn")
    assert status == 1
    assert "1 of 2 cells done, 1 failed" in out
    assert "bad.pth cannot be read as weights" in err
    status, out, _ = bench("status", suite, "--adaptations", "knn", "--json")
    assert json.loads(out)["failures"][0]["kind"] == "weights"
    status, out, _ = bench("report", suite)
    assert "failed" in out


def test_a_plugin_joins_the_suite_and_passes_the_check(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    plugin = tmp_path / "stem_plugin.py"
    plugin.write_text(PLUGIN)
    status, out, _ = bench("run", suite, "--plugin", plugin, "--adaptations", "linear")
    assert (status, "6 of 6 cells done" in out) == (0, True)
    assert bench("report", suite, "--plugin", plugin)[0] == 0
    printed = tmp_path / "results" / "reports" / "small" / "small.md"
    assert "| my-stem | linear |" in printed.read_text()
    status, out, _ = bench("check", "my-stem", "--plugin", plugin)
    assert (status, "FAIL" in out) == (0, False)


@pytest.fixture(scope="session")
def broken_plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    plugin = tmp_path_factory.mktemp("plugins") / "broken_plugin.py"
    plugin.write_text(BROKEN)
    return plugin


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("right", 0, "PASS  prefix tokens: 1, 1 on the card"),
        ("wrong-width", 1, "FAIL  embed shape: (4, 24) for 4 images, width 99 on the card"),
        ("no-prefix", 1, "197 tokens for 0 prefix tokens and 14 x 14 patches"),
    ],
)
def test_the_check_catches_a_broken_module_by_name(
    bench: Bench, broken_plugin: Path, name: str, status: int, message: str
) -> None:
    actual, out, _ = bench("check", name, "--plugin", broken_plugin)
    assert actual == status, out
    assert message in out


def test_check_and_doctor_as_json(bench: Bench) -> None:
    actual = json.loads(bench("check", "random-vit-tiny", "--json")[1])
    assert all(set(row) == {"name", "verdict", "message", "fix"} for row in actual)
    assert "maps equal the full forward" in {row["name"] for row in actual}
    assert {row["verdict"] for row in actual} <= {"PASS", "WARN"}
    names = {row["name"] for row in json.loads(bench("doctor", "demo", "--json")[1])}
    assert {"device", "folder results", "disk"} <= names


def test_lists_and_stocks_as_json(bench: Bench, suite: Path, tmp_path: Path) -> None:
    cards = {card["id"]: card for card in json.loads(bench("list", "backbones", "--json")[1])}
    assert cards["dinov3-base"]["prefix_tokens"] == 5
    for kind in ("datasets", "tasks", "adaptations", "suites"):
        assert json.loads(bench("list", kind, "--json")[1])
    there = {row["id"]: row["there"] for row in json.loads(bench("weights", "list", "--json")[1])}
    assert there["random-vit-tiny"] is True
    rows = json.loads(bench("data", "list", "phantom", "breastmnist", "--json")[1])
    assert [row["there"] for row in rows] == [True, False]
    bench("run", suite, "--adaptations", "knn")
    entries = json.loads(bench("cache", "list", "--json")[1])
    assert len(entries) == 6
    assert all(entry["complete"] for entry in entries)
    assert "6 entries removed" in bench("cache", "prune")[1]
    assert json.loads(bench("cache", "list", "--json")[1]) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["list", "backbones"],
        ["list", "adaptations"],
        ["plan", "demo"],
        ["status", "demo"],
        ["compare", "a", "b"],
        ["report", "demo"],
        ["data", "list"],
        ["data", "audit", "phantom-easy"],
        ["weights", "list"],
        ["doctor", "demo"],
        ["--version"],
        ["bundle", "demo", "x.zip"],
        ["merge", "x.zip"],
        ["cache", "list"],
    ],
)
def test_torch_is_never_imported_where_nothing_is_computed(
    arguments: list[str], tmp_path: Path
) -> None:
    code = (
        "import sys\nfrom omnibench.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'timm', 'transformers'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    environment = {
        "OMNIBENCH_RESULTS": str(tmp_path / "results"),
        "OMNIBENCH_DATA": str(tmp_path / "data"),
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr


def test_compare_never_mixes_recipes(bench: Bench, suite: Path) -> None:
    bench("run", suite)
    suite.write_text(SUITE.replace("epochs: 5", "epochs: 9"))
    bench("run", suite, "--backbones", "w", "--adaptations", "linear")
    rows = json.loads(bench("compare", "w", "v", "--json", "--metric", "brier")[1])["rows"]
    assert len(rows) == 2
    assert all(row["p"] is not None for row in rows)
    # Only w was run with nine epochs, so the five of both are compared.
    bench("run", suite, "--backbones", "v", "--adaptations", "linear")
    again = json.loads(bench("compare", "w", "v", "--json", "--metric", "brier")[1])["rows"]
    differences = [{row["adaptation"]: row["difference"] for row in r} for r in (rows, again)]
    assert differences[0]["linear"] != differences[1]["linear"]


def test_a_unit_that_nothing_can_start_of_is_exit_2(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    arrays = dict(np.load(tmp_path / "two.npz"))
    arrays["val_images"] = arrays["val_images"].astype(np.float32)
    arrays["val_images"][3, 0, 0] = np.nan
    np.savez(tmp_path / "two.npz", **arrays)
    status, _, err = bench("run", suite)
    assert status == 2
    assert "nothing can start" in err
    assert "val_images" in err


def test_weights_that_nothing_can_read_are_exit_2(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.pth").write_bytes(b"no weights")
    v, w = "'random:test_vit', pool: cls", "'random:test_vit2'"
    bad = "'file:bad.pth', architecture: test_vit"
    suite.write_text(SUITE.replace(v, bad).replace(w, bad))
    status, _, err = bench("run", suite, "--adaptations", "knn")
    assert status == 2
    assert "nothing could start" in err
    assert "bad.pth cannot be read as weights" in err
    status, _, err = bench("run", suite, "--adaptations", "knn")
    assert status == 2
    assert "bad.pth cannot be read as weights" in err
    assert err.rstrip().endswith("give --retry-failed")


def test_weights_that_were_replaced_are_not_answered_from_the_cache(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    import timm
    import torch
    from safetensors.torch import save_file

    folder = tmp_path / "data" / "weights" / "me--mine"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"architecture": "test_vit"}))
    suite.write_text(SUITE.replace("'random:test_vit2'", "'hf_hub:me/mine'"))
    digests = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        save_file(timm.create_model("test_vit").state_dict(), folder / "model.safetensors")
        bench("run", suite, "--backbones", "w", "--adaptations", "knn", "--force")
        (path,) = (tmp_path / "results").rglob("w/knn/rep-0-*.json")
        digests.append(json.loads(path.read_text())["digests"]["backbone"])
    assert digests[0] != digests[1]

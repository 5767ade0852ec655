"""`keep: weights`: what a cell trained lies beside its record, and makes its network again."""

import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file

from omnibench import files
from omnibench.catalogue import backbones
from omnibench.encoders.preprocess import Preprocess
from omnibench.execute import execute_unit
from omnibench.record import as_bytes
from omnibench.record_files import WEIGHTS
from omnibench.session import Places, Session
from tests.conftest import Bench

PLUGIN = """
from omnibench import BackboneCard, register_backbone
register_backbone(BackboneCard(id="start", source="random:test_vit", pool="cls"))
"""
TRAINED = "{input_size: 32, epochs: 1, batch: 8, warmup_epochs: 0, precision: fp32}"
SUITE = f"""
name: kept
plugins: [start.py]
backbones: [start]
matrix:
  - {{task: classification, datasets: ['npz:two.npz'], adaptations: [linear, {{linear: {{solver:
      lbfgs}}}}], recipe: {{input_size: 32, precision: fp32}}, keep: weights}}
  - {{task: classification, datasets: ['npz:two.npz'], adaptations: [{{lora: {{r: 2, alpha: 4}}}}],
      recipe: {TRAINED}, keep: weights}}
  - {{task: segmentation, datasets: ['npz:two.npz'], adaptations: [linear],
      recipe: {TRAINED}, keep: weights}}
"""
PLAIN = SUITE.replace(", keep: weights", "").replace(" keep: weights", "")


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
    (tmp_path / "start.py").write_text(PLUGIN)
    path = tmp_path / "kept.yaml"
    path.write_text(SUITE)
    return path


def compute(tmp_path: Path, suite: Path, *adaptations: str, force: bool = False) -> None:
    """Compute the cells of a suite in this process, or those of some adaptations of classes."""
    session = Session.open(Places(results=tmp_path / "results", data=tmp_path / "data"))
    context = session.context("cpu", 1, force=force)
    for unit in session.suite(str(suite))[1]:
        if not adaptations or (unit.task, unit.short) in {
            ("classification", a) for a in adaptations
        }:
            execute_unit(unit, context)


def records(tmp_path: Path) -> dict[str, Path]:
    """Return the path of every record by task and adaptation."""
    paths = (tmp_path / "results/records").glob("*/*/*/*/rep-*[0-9a-f].json")
    return {f"{path.parts[-5]}/{path.parts[-2]}": path for path in paths}


def test_a_kept_network_gives_what_the_cell_predicted(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    suite.write_text(PLAIN)
    digests = [c["digest"] for c in json.loads(bench("plan", suite, "--json")[1])["cells"]]
    suite.write_text(SUITE)
    planned = json.loads(bench("plan", suite, "--json")[1])
    assert [cell["digest"] for cell in planned["cells"]] == digests  # the same cells
    compute(tmp_path, suite)
    paths = records(tmp_path)
    lora = load_file(paths["classification/lora-r2-a4"].with_suffix(f".{WEIGHTS}"))
    # The frozen backbone is left out, what was trained in it is not.
    assert not any("base_layer" in name for name in lora)
    assert {name.split(".")[0] for name in lora} == {"backbone", "head"}
    images = torch.from_numpy(np.load(tmp_path / "two.npz")["test_images"])
    plugin = ("--plugin", tmp_path / "start.py")
    for name in ("linear", "linear-slbfgs", "lora-r2-a4"):
        path = paths[f"classification/{name}"]
        out, digest = tmp_path / name, json.loads(path.read_text())["digest"]
        status, _, err = bench("export", digest[:8], out, *plugin)
        assert status == 0, err
        model: Any = timm.create_model(f"local-dir:{out}", pretrained=True).eval()
        mean, std = model.pretrained_cfg["mean"], model.pretrained_cfg["std"]
        prepare = Preprocess(32, tuple(mean), tuple(std), torch.device("cpu"), torch.float32)
        with torch.inference_mode():
            logits = model(prepare(images)).numpy()
        stored = np.load(path.with_suffix(".predictions.npz"))["test_logits"]
        np.testing.assert_allclose(logits, stored, atol=1e-5)
    digest = json.loads(paths["segmentation/linear"].read_text())["digest"]
    status, _, err = bench("export", digest, tmp_path / "maps", *plugin)
    assert (status, "use --format onnx" in " ".join(err.split())) == (2, True)
    backbones._entries.pop("start")
    status, _, err = bench("export", digest, tmp_path / "maps")
    assert (status, "'start' of the record" in " ".join(err.split())) == (2, True)
    assert not (tmp_path / "maps").exists()
    assert "weights of 4 cells are kept" in " ".join(bench("cache", "list")[1].split())


def test_a_done_cell_without_weights_is_named_with_the_way_out(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    only = ("--adaptations", "linear-slbfgs")
    suite.write_text(PLAIN)
    compute(tmp_path, suite, "linear-slbfgs")
    suite.write_text(SUITE)
    [path] = records(tmp_path).values()
    digest = json.loads(path.read_text())["digest"]
    status, _, err = bench("export", digest, tmp_path / "out")
    assert (status, "kept no weights; add `keep: weights`" in " ".join(err.split())) == (2, True)
    for command in ("plan", "run"):
        status, out, err = bench(command, suite, *only)
        assert (status, "1 done cell kept no weights" in " ".join((out + err).split())) == (0, True)
    compute(tmp_path, suite, "linear-slbfgs", force=True)
    assert "kept no weights" not in "".join(bench("run", suite, *only)[1:])
    assert path.with_suffix(f".{WEIGHTS}").is_file()
    suite.write_text(PLAIN)  # a record anew has no weights of the one before
    compute(tmp_path, suite, "linear-slbfgs", force=True)
    assert not path.with_suffix(f".{WEIGHTS}").is_file()


def test_a_full_disk_fails_the_cell_and_leaves_no_half_file(
    bench: Bench, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = files._write

    def full(file: Any, content: bytes) -> None:
        if WEIGHTS in str(file.name):
            write(file, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, content)

    monkeypatch.setattr(files, "_write", full)
    compute(tmp_path, suite, "linear-slbfgs")
    [path] = records(tmp_path).values()
    record = json.loads(path.read_text())
    assert (record["status"], record["error"]["kind"]) == ("failed", "store")
    assert "the disk is full; make room" in record["error"]["message"]
    assert not [*path.parent.glob(f"*{WEIGHTS}*")]
    status, _, err = bench("export", record["digest"], tmp_path / "out")
    assert (status, "failed and has no weights" in " ".join(err.split())) == (2, True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("adaptations: [linear, ", "adaptations: [knn, ", "keep: classification keeps no weights"),
        ("keep: weights", "keep: masks", "matrix[0].keep: should be 'weights'"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_its_path(
    bench: Bench, suite: Path, old: str, new: str, message: str
) -> None:
    suite.write_text(SUITE.replace(old, new, 1))
    status, _, err = bench("plan", suite)
    assert (status, message in " ".join(err.split())) == (2, True), err


def test_other_weights_than_those_of_the_network_are_refused(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    compute(tmp_path, suite, "linear-slbfgs")
    [path] = records(tmp_path).values()
    digest = json.loads(path.read_text())["digest"]
    plugin = tmp_path / "start.py"
    kept = path.with_suffix(f".{WEIGHTS}")
    content = kept.read_bytes()
    kept.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    status, _, err = bench("export", digest, tmp_path / "out", "--plugin", plugin)
    assert (status, "is damaged" in " ".join(err.split())) == (1, True)
    kept.write_bytes(content)
    other = tmp_path / "other.py"  # the same id, another draw
    backbones._entries.pop("start")
    other.write_text(PLUGIN.replace("test_vit", "test_vit@1"))
    status, _, err = bench("export", digest, tmp_path / "out", "--plugin", other)
    assert (status, "other ones than the record" in " ".join(err.split())) == (1, True)


def test_a_wrong_request_to_export_is_a_sentence_before_anything_is_loaded(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    compute(tmp_path, suite, "linear-slbfgs")
    [path] = records(tmp_path).values()
    digest = json.loads(path.read_text())["digest"]
    file, link, full = tmp_path / "file", tmp_path / "link", tmp_path / "full"
    file.touch()
    link.symlink_to(tmp_path / "absent")
    (full / "inside").mkdir(parents=True)
    requests = (
        (digest[:8], file, "file is no folder; name a new one"),
        (digest[:8], link, "link is no folder; name a new one"),
        (digest[:8], full, "full is not empty; name a new folder"),
        (digest[:8], file / "below", "below cannot be made or read (Not a directory); name"),
        ("0" * 8, tmp_path / "out", "no record of a training 00000000"),
    )
    for name, out, message in requests:
        status, _, err = bench("export", name, out)
        assert (status, message in " ".join(err.split())) == (2, True), err
    status, _, err = bench("export", digest, tmp_path / "out", "--format", "tensorrt")
    assert (status, "'tensorrt' (there are: onnx, timm)" in " ".join(err.split())) == (2, True)
    # Another cell whose digest starts alike, as they do by eight digits once in a while.
    other = path.parents[1] / "other" / path.name
    other.parent.mkdir()
    twin = digest[:8] + "0" * 56
    other.write_bytes(as_bytes({**json.loads(path.read_text()), "digest": twin}))
    status, _, err = bench("export", digest[:8], tmp_path / "out")
    assert (status, "2 records have a digest that starts with" in " ".join(err.split())) == (
        2,
        True,
    )
    assert digest in err
    assert twin in err
    assert not (tmp_path / "out").exists()
    plugin = ("--plugin", tmp_path / "start.py")
    assert bench("export", digest, tmp_path / "out", *plugin)[0] == 0


def test_a_disk_that_is_full_leaves_no_part_of_an_export(
    bench: Bench, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute(tmp_path, suite, "linear-slbfgs")
    [path] = records(tmp_path).values()
    write = files._write

    def full(file: Any, content: bytes) -> None:
        if "README" in str(file.name):  # the last one
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, content)

    monkeypatch.setattr(files, "_write", full)
    digest = json.loads(path.read_text())["digest"]
    plugin = ("--plugin", tmp_path / "start.py")
    status, _, err = bench("export", digest, tmp_path / "out", *plugin)
    assert (status, "the disk is full; make room" in " ".join(err.split())) == (1, True), err
    assert not (tmp_path / "out").exists()

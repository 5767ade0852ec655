"""Links in a results folder that lead out of it: nothing is read or written through them."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
from safetensors.torch import save_file

from omnibench.cards import BackboneCard
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.errors import LinkError
from omnibench.features import FeatureKey, FeatureStore
from omnibench.record import as_bytes, blank, checksum, load_record
from omnibench.record_files import predictions_path
from omnibench.store import RecordStore
from tests.conftest import Bench

LINK = "is a link that leads out of {}, or lies behind one; remove that link"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


@pytest.fixture
def path(suite: Any, arrays: dict[str, Any], tmp_path: Path) -> Path:
    np.savez(tmp_path / "good.npz", **arrays)
    result: Path = suite("npz:good.npz")
    return result


def swap(path: Path, outside: Path) -> Path:
    """Move a file or folder out, and leave a link to it."""
    target = outside / path.name
    shutil.move(path, target)
    path.symlink_to(target)
    return target


@pytest.mark.parametrize("depth", range(5))
@pytest.mark.parametrize("command", ["plan", "status", "run", "report", "rescore"])
def test_a_folder_that_leads_out_is_refused(
    bench: Bench, plant: Any, path: Path, outside: Path, tmp_path: Path, depth: int, command: str
) -> None:
    """records, task, dataset, backbone, adaptation: each may be the link."""
    [(_, record)] = plant(path)
    parts = record.relative_to(tmp_path / "results").parts
    target = swap(tmp_path.joinpath("results", *parts[: depth + 1]), outside)
    before = {item: item.read_bytes() for item in target.rglob("*") if item.is_file()}
    status, _, err = bench(command, path, *(["--force"] if command == "run" else []))
    assert (status, LINK.format(tmp_path / "results") in err) == (2, True), err
    assert "Traceback" not in err
    assert {item: item.read_bytes() for item in target.rglob("*") if item.is_file()} == before


def test_a_record_that_is_a_link_out_is_refused(
    bench: Bench, plant: Any, path: Path, outside: Path
) -> None:
    [(_, record)] = plant(path)
    swap(record, outside)
    for command in ("plan", "status", "run", "report", "rescore"):
        status, _, err = bench(command, path)
        assert (status, f"{record} is a link that leads out of {record.parent}" in err) == (2, True)
    with pytest.raises(LinkError):
        list(RecordStore(record.parents[5]).all())


def test_predictions_that_are_a_link_out_are_refused(
    bench: Bench, plant: Any, path: Path, outside: Path
) -> None:
    [(_, record)] = plant(path)
    predictions = predictions_path(record)
    swap(predictions, outside)
    status, _, err = bench("rescore", path)
    assert (status, f"{predictions} is a link that leads out of" in err) == (2, True)


def test_a_link_in_a_record_s_place_is_replaced_and_its_target_untouched(
    plant: Any, path: Path, outside: Path
) -> None:
    [(_, record)] = plant(path)
    written = [record, predictions_path(record)]
    for file in written:
        file.unlink()
        (outside / file.name).write_text("not yours")
        file.symlink_to(outside / file.name)
    plant(path)
    assert not any(file.is_symlink() for file in written)
    assert {file.read_text() for file in outside.iterdir()} == {"not yours"}


def test_links_within_and_a_results_folder_that_is_a_link_are_followed(
    bench: Bench, plant: Any, path: Path, outside: Path, tmp_path: Path
) -> None:
    (tmp_path / "results").symlink_to(outside)
    [(_, record)] = plant(path)
    folder = record.parent
    moved = folder.with_name("elsewhere")
    shutil.move(folder, moved)
    folder.symlink_to(moved)
    assert bench("plan", path)[0] == 0
    assert "1 done" in bench("status", path)[1]


@pytest.fixture
def pretrained(tmp_path: Path, unit: Unit) -> Path:
    """The record of a pretraining, as far as `export` reads it."""
    digest = "ab" * 32
    folder = tmp_path / "results" / "records" / "pretraining" / "set" / "v" / "dinov2-global"
    folder.mkdir(parents=True)
    record = folder / f"rep-0-{digest[:8]}.json"
    recipe = {"epochs": 1, "batch": 2, "input_size": 32, "normalization": "backbone"}
    architecture_facts = {
        "architecture": "test_vit",
        "model_args": {},
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
    }
    unit = replace(
        unit,
        task="pretraining",
        adaptation="dinov2-global",
        options={"knn": "x"},
        recipe=recipe | {"centring": "softmax"},
        backbone=BackboneCard(id="test_vit", source="random:test_vit"),
    )
    notes = architecture_facts | {"images": {"set": 3}}
    made = {**blank(unit.cells[0]), "digest": digest, "status": "done", "notes": notes}
    record.write_bytes(as_bytes(made))
    weights = timm.create_model("test_vit", num_classes=0).state_dict()
    save_file(weights, record.with_suffix(".safetensors"))
    return record


@pytest.mark.parametrize("levels", [None, "weights", "record", 0, 3])
def test_export_copies_nothing_from_outside(
    bench: Bench, pretrained: Path, outside: Path, tmp_path: Path, levels: int | str | None
) -> None:
    """The attack: weights that are a link to a secret, exported and then published."""
    file = pretrained.with_suffix(".safetensors") if levels == "weights" else pretrained
    if levels is not None:
        swap(pretrained.parents[levels] if isinstance(levels, int) else file, outside)
    status, _, err = bench("export", "abababab", tmp_path / "out")
    assert "Traceback" not in err
    if levels is None:
        assert (status, (tmp_path / "out" / "model.safetensors").is_file()) == (0, True), err
    else:
        # A linked folder among the records is not even looked into.
        said = "no record of a training" if levels == 0 else "is a link that leads out of"
        assert (status, said in err) == (2, True), err
        assert not (tmp_path / "out").exists()


def test_checkpoints_are_neither_written_nor_removed_outside(
    unit: Unit, outside: Path, tmp_path: Path
) -> None:
    from omnibench.training.job import cell_job

    results = tmp_path / "results"
    results.mkdir()
    (results / "checkpoints").symlink_to(outside)
    arguments: dict[str, Any] = {
        "model": None,
        "count": 1,
        "loss": None,
        "validate": dict,
        "set_mode": dict,
    }
    with pytest.raises(LinkError, match="checkpoints"):
        cell_job(unit, 0, Context(results, tmp_path), select=None, **arguments)


def test_prune_removes_a_link_and_not_what_it_names(
    bench: Bench, outside: Path, tmp_path: Path
) -> None:
    (outside / "precious").write_text("x")
    features = tmp_path / "data" / "features"
    key = FeatureKey({"backbone": "b"}, "train", 8, "imagenet", "fp32", "embed")
    rows = np.ones((3, 2), np.float32)
    FeatureStore(features).get(key, 3, dict, lambda start, stop: rows[start:stop], 3)
    (features / key.digest / "inner").symlink_to(outside)
    (features / ("0" * 32)).symlink_to(outside)
    status, out, _ = bench("cache", "prune")
    assert (status, "2 entries removed" in out) == (0, True)
    assert list(features.glob("[!.]*")) == []
    assert (outside / "precious").read_text() == "x"


@pytest.mark.parametrize("place", ["reports", "reports/attack", "reports/attack/figures"])
def test_a_report_is_not_written_through_a_link(
    bench: Bench, plant: Any, path: Path, outside: Path, tmp_path: Path, place: str
) -> None:
    plant(path)
    link = tmp_path / "results" / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside)
    status, _, err = bench("report", path)
    assert (status, "is a link that leads out of" in err) == (2, True), err
    assert list(outside.iterdir()) == []


def test_a_link_in_a_report_s_file_s_place_is_replaced(
    bench: Bench, plant: Any, path: Path, outside: Path, tmp_path: Path
) -> None:
    plant(path)
    (outside / "precious").write_text("x")
    folder = tmp_path / "results" / "reports" / "attack"
    folder.mkdir(parents=True)
    for name in ("report.html", "report.tex", "attack.csv", "latent.npz"):
        (folder / name).symlink_to(outside / "precious")
    status, _, err = bench("report", path)
    assert status == 0, err
    assert (outside / "precious").read_text() == "x"
    assert not (folder / "report.html").is_symlink()


@pytest.mark.parametrize("notes", [{}, {"images": 3}, {"images": [1]}, {"architecture": []}])
def test_a_malformed_pretraining_takes_no_command_down(
    bench: Bench, pretrained: Path, tmp_path: Path, notes: dict[str, Any]
) -> None:
    record = load_record(pretrained)
    notes = {**record["notes"], **notes} if notes else {}
    pretrained.write_bytes(as_bytes({**record, "notes": notes, "adopted": "../x"}))
    status, _, err = bench("list", "backbones")
    assert (status, err) == (0, "")
    status, _, err = bench("export", "abababab", tmp_path / "out")
    assert (status, err.count("\n"), "does not tell what its weights are of" in err) == (2, 1, True)


def test_weights_of_a_pretraining_that_are_not_as_they_were_left_are_not_exported(
    bench: Bench, pretrained: Path, tmp_path: Path
) -> None:
    weights = pretrained.with_suffix(".safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    files = {"safetensors": checksum(b"other")}
    pretrained.write_bytes(as_bytes({**load_record(pretrained), "files": files}))
    status, _, err = bench("export", "abababab", tmp_path / "out")
    assert (status, "safetensors is damaged: it is not as it was written" in err) == (1, True), err
    assert not (tmp_path / "out").exists()

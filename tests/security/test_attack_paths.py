"""File names of archives, datasets and hubs that lead out of their folder."""

import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from omnibench import catalogue
from omnibench.cards import DatasetCard
from tests.conftest import Bench
from tests.stub_hub import StubHub

ESCAPES = ("../../escaped", "/tmp/omnibench-escaped", "..\\..\\escaped", "a/../../../escaped")


def image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8), 3).save(path)


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_names_in_an_archive_make_no_file(
    bench: Bench,
    suite: Any,
    arrays: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "sets").mkdir()
    np.savez(tmp_path / "sets" / "evil.npz", **arrays)
    with zipfile.ZipFile(tmp_path / "sets" / "evil.npz", "a") as archive:
        for name in ESCAPES:
            archive.writestr(f"{name}.npy", b"x")
            archive.writestr(f"{name}/train_images.npy", b"x")
    monkeypatch.setattr("omnibench.data.npz.IN_MEMORY", 0)  # so that images are unpacked to files
    path = suite("npz:sets/evil.npz")
    before = tree(tmp_path)
    from omnibench.data import sources

    dataset = sources.load(sources.resolve("npz:sets/evil.npz", tmp_path), tmp_path / "data")
    assert len(dataset.splits["train"]) == 6
    made = tree(tmp_path) - before
    assert made
    assert all(name.partition("/")[0] == "data" for name in made)
    assert not list(tmp_path.parent.glob("escaped*"))
    assert not list(Path("/tmp").glob("omnibench-escaped*"))
    assert bench("plan", path)[0] == 0


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("../outside/secret.png", "the image '../outside/secret.png' leads out of"),
        ("images/../../outside/secret.png", "leads out of"),
        ("OUTSIDE/secret.png", "leads out of"),
        ("link.png", "the image 'link.png' is a link that leads out of"),
        ("link/secret.png", "the image 'link/secret.png' is a link that leads out of"),
    ],
)
def test_a_caption_s_image_lies_in_its_folder(
    bench: Bench, suite: Any, tmp_path: Path, name: str, sentence: str
) -> None:
    image(tmp_path / "outside" / "secret.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "link.png").symlink_to(tmp_path / "outside" / "secret.png")
    (tmp_path / "set" / "link").symlink_to(tmp_path / "outside")
    name = name.replace("OUTSIDE", str(tmp_path / "outside"))
    lines = [{"image": name, "split": split, "caption": "a"} for split in ("train", "val", "test")]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (tmp_path / "set" / "evil.jsonl").write_text(text)
    path = suite("jsonl:set/evil.jsonl", "captioning", "bart-base")
    _, out, err = bench("plan", path)
    assert re.search(r"blocked: .*data jsonl-evil: .*evil\.jsonl, line 1: ", out), out
    assert sentence in out
    assert "copy" in out
    assert "Traceback" not in err


def folder(root: Path) -> tuple[str, ...]:
    for name in ("train/a/x.png", "train/b/x.png", "val/a/x.png", "val/b/x.png", "test/a/x.png"):
        image(root / name)
    image(root / "test/b/x.png")
    return "classification", "knn"


def pairs(root: Path) -> tuple[str, ...]:
    for split in ("train", "val", "test"):
        image(root / split / "images" / "x.png")
        image(root / split / "masks" / "x.png")
    return "segmentation", "linear"


@pytest.mark.parametrize(
    ("kind", "make", "place"),
    [
        *(("folder", folder, place) for place in ("train", "val/a", "test/b/x.png")),
        *(("pairs", pairs, place) for place in ("train", "val/masks", "test/images/x.png")),
    ],
)
def test_a_folder_s_links_lead_nowhere_else(
    bench: Bench, suite: Any, tmp_path: Path, kind: Any, make: Any, place: Any
) -> None:
    root = tmp_path / "set"
    task, adaptation = make(root)
    (tmp_path / "outside").mkdir()
    shutil.move(root / place, tmp_path / "outside" / "stolen")
    (root / place).symlink_to(tmp_path / "outside" / "stolen")
    _, out, err = bench("plan", suite(f"{kind}:set", task, adaptation))
    sentence = rf"data {kind}-set: {root / place} is a link that leads out of {root}; copy what it"
    assert re.search(sentence, out), out
    assert "Traceback" not in err


def test_a_hub_s_file_names_make_no_file_outside(
    hub: StubHub, bench: Bench, tmp_path: Path
) -> None:
    names = [
        "../../escaped/train.parquet",
        "data/../../escaped/val.parquet",
        "/escaped/test.parquet",
    ]
    hub.repositories["datasets/me/evil"] = dict.fromkeys(names, b"PAR1")
    catalogue.register_dataset(
        DatasetCard(id="evil", reader="a:b", hub="me/evil", tasks=("captioning",))
    )
    before = tree(tmp_path)
    status, out, err = bench("data", "fetch", "evil")
    assert (status, out) == (1, "")
    assert re.search(
        r"^evil: me/evil cannot be fetched \(Invalid filename .*; absent: train\*\.parquet",
        err,
        re.MULTILINE,
    ), err
    assert "Traceback" not in err
    made = tree(tmp_path) - before
    assert not [name for name in made if "escaped" in name]
    assert {name.partition("/")[0] for name in made} <= {"data", "hub"}


@pytest.mark.parametrize("name", ["../../x", "..", "a/b", "<b>", "a\\nb", "$HOME", ""])
def test_a_record_s_path_is_made_of_checked_names(
    bench: Bench, suite: Any, tmp_path: Path, name: str
) -> None:
    path = suite("phantom")
    path.write_text(path.read_text().replace("id: v", f'id: "{name}"'))
    status, out, err = bench("plan", path)
    assert (status, out) == (2, "")
    assert "attack.yaml: backbones[0].id: String should match pattern" in err

"""What `plan`, `data verify` and records say of a dataset."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.data import npz, survey
from omnibench.data import sources as data_sources
from omnibench.data.checksums import sha256_of
from omnibench.data.sources import resolve, source_digest
from omnibench.data.survey import Survey
from omnibench.errors import DataError

PIL = pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)


def save(path: Path, pixels: Any = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if pixels is None:
        pixels = RNG.integers(0, 256, (8, 6), dtype=np.uint8)
    PIL.fromarray(pixels).save(path)
    return path


def seen(reference: str, folder: Path, whole: bool = False) -> Survey:
    card = resolve(reference, folder)
    assert card.tasks, data_sources.missing(card, folder)
    data = folder / "data"
    return survey.survey(card, data, source_digest(card, data), whole)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes: 3 + 1 images to train on, 1 + 1 to validate and to test with."""
    for split in ("train", "val", "test"):
        for name in ("a", "b"):
            save(tmp_path / "set" / split / name / "0.png")
    save(tmp_path / "set/train/a/1.png")
    save(tmp_path / "set/train/a/2.png", RNG.integers(0, 256, (10, 9), dtype=np.uint8))
    return tmp_path / "set"


def test_classes_have_their_share_and_images_their_sizes(root: Path) -> None:
    facts_seen = seen("folder:set", root.parent)
    assert facts_seen.warnings == ()
    assert facts_seen.facts["classes"] == pytest.approx({"a": 5 / 8, "b": 3 / 8})
    assert (facts_seen.facts["kind"], facts_seen.facts["sizes"]) == ("binary", [[8, 6], [10, 9]])
    assert facts_seen.line == (
        "4 train, 2 val, 2 test; binary labels: a 62.5 %, b 37.5 %; 8 x 6 to 10 x 9 px"
    )


def test_what_is_left_out_is_counted_by_its_ending(root: Path) -> None:
    for name in ("train/a/x.dcm", "test/b/y.DCM", "train/b/IM0001", "val/notes.txt"):
        (root / name).write_bytes(b"x")
    (root / "holdout").mkdir()
    digest = source_digest(resolve("folder:set", root.parent), root.parent)
    [warning] = seen("folder:set", root.parent).warnings
    assert warning.endswith(": 2 .dcm, 1 .txt, 1 folder holdout/, 1 without an ending")
    save(root / "train/a/3.webp")  # an image now, as are .tif
    assert seen("folder:set", root.parent).facts["images"]["train"] == 5
    assert source_digest(resolve("folder:set", root.parent), root.parent) != digest


def test_the_same_pixels_in_two_splits_are_named_whatever_their_files(root: Path) -> None:
    PIL.open(root / "train/a/0.png").save(root / "test/b/copy.bmp")
    facts_seen = seen("folder:set", root.parent)
    assert facts_seen.facts["duplicates"] == 1
    assert facts_seen.warnings == (
        "in train and in test: 1 image, pixel by pixel, such as train/a/0.png = test/b/copy.bmp",
    )
    (root / "omnibench.yaml").write_text("strict: true")
    with pytest.raises(DataError, match="declared strict, and in train and in test: 1 image"):
        seen("folder:set", root.parent)


def arrays(**further: Any) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        content[f"{split}_images"] = RNG.integers(0, 256, (6, 8, 8), dtype=np.uint8)
        content[f"{split}_labels"] = np.arange(6) % 3
    return content | further


def test_shared_patients_are_told_by_their_images_and_never_named(tmp_path: Path) -> None:
    groups = {f"{s}_groups": np.arange(6) // 2 + 10 * i for i, s in enumerate(("train", "test"))}
    np.savez(tmp_path / "apart.npz", **arrays(**groups))
    assert seen("npz:apart.npz", tmp_path).warnings == ()
    groups = {"train_groups": np.array(["P-a"] * 2 + ["P-b"] * 2 + ["P-c"] * 2)}
    groups["test_groups"] = np.array(["P-c", "P-c", "P-b", "P-b", "P-z", "P-z"])
    np.savez(tmp_path / "own.npz", **arrays(**groups))
    facts_seen = seen("npz:own.npz", tmp_path)
    (warning,) = facts_seen.warnings
    assert warning == (
        "in train and in test: 2 groups (patients), such as those of image 2 = 2, image 4 = 0"
    )
    assert facts_seen.facts["shared_groups"] == 2


def test_a_class_without_a_test_image_leaves_its_auc_undefined(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", **arrays(test_labels=np.array([0, 1] * 3)))
    [warning] = seen("npz:own.npz", tmp_path).warnings
    assert warning == "test has no image of the class '2', so that its AUC is undefined"


def test_columns_of_an_archive_and_classes_without_a_training_image_are_named(
    tmp_path: Path,
) -> None:
    sites = {f"{split}_column_site": np.array(["x", "y"] * 3) for split in ("train", "test")}
    np.savez(tmp_path / "own.npz", **arrays(train_labels=np.array([0, 2] * 3), **sites))
    facts_seen = seen("npz:own.npz", tmp_path)
    assert (facts_seen.facts["columns"], facts_seen.facts["untrained"]) == (["site"], ["1"])
    assert "; columns: site" in facts_seen.line


def test_mask_values_have_their_share_and_what_is_ignored_too(tmp_path: Path) -> None:
    masks = np.zeros((6, 8, 8), np.uint8)
    masks[:, :2] = 1
    masks[:, 2, :4] = 255
    labels = {f"{split}_label": masks for split in ("train", "val", "test")}
    np.savez(tmp_path / "own.npz", **arrays(**labels))
    with pytest.raises(DataError, match=r"0 \(68\.8 %\), 1 \(25 %\), 255 \(6\.25 %\), and nothing"):
        seen("npz:own.npz", tmp_path)
    digest = source_digest(resolve("npz:own.npz", tmp_path), tmp_path)
    (tmp_path / "own.yaml").write_text("{mask_values: {0: none, 1: cyst}, ignore: [255]}")
    shares = {"none": 0.6875, "cyst": 0.25, "(ignored)": 0.0625}
    assert seen("npz:own.npz", tmp_path).facts["mask_classes"] == pytest.approx(shares)
    # Of a class of two values each image counts once, whichever it shows.
    masks[:, 4], masks[:4, 5], masks[4, :2] = 7, 0, 0
    labels = {f"{split}_label": masks for split in ("train", "val", "test")}
    np.savez(tmp_path / "own.npz", **arrays(**labels))
    values = "{0: none, 1: cyst, 7: cyst, 8: scar}"
    (tmp_path / "own.yaml").write_text(f"{{mask_values: {values}, ignore: [255]}}")
    facts = seen("npz:own.npz", tmp_path).facts
    assert facts["training_masks"] == {"none": 6, "cyst": 6, "scar": 0}
    assert facts["untrained_masks"] == ["scar"]
    assert source_digest(resolve("npz:own.npz", tmp_path), tmp_path) != digest


def test_what_was_seen_is_recalled_until_the_content_changes(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = seen("folder:set", root.parent)
    looks: list[int] = []
    look = survey._look

    def counted(*given: Any) -> dict[str, Any]:
        looks.append(1)
        return look(*given)

    monkeypatch.setattr(survey, "_look", counted)
    assert seen("folder:set", root.parent) == before
    assert not looks
    for remembered in (root.parent / "data/surveys").glob("*.json"):
        remembered.write_bytes(
            remembered.read_bytes().replace(b"62", b"63").replace(b"0.6", b"0.7")
        )
    assert seen("folder:set", root.parent) == before  # damaged: computed again
    save(root / "test/b/1.png")
    assert seen("folder:set", root.parent) != before
    assert len(looks) == 2


def test_pixels_beyond_the_budget_are_left_to_verify(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PIL.open(root / "train/a/0.png").save(root / "test/b/copy.bmp")
    monkeypatch.setattr(survey, "BUDGET", 100)
    facts_seen = seen("folder:set", root.parent)
    assert (facts_seen.warnings, facts_seen.facts["pixels"]) == ((), False)
    assert "pixels not looked at (`data verify` does)" in facts_seen.line
    assert len(seen("folder:set", root.parent, whole=True).warnings) == 1
    # A large archive is not unpacked either.
    np.savez(tmp_path / "own.npz", **arrays())
    monkeypatch.setattr(npz, "IN_MEMORY", 10)
    assert seen("npz:own.npz", tmp_path).facts["images"] == {"train": 6, "val": 6, "test": 6}
    assert not (tmp_path / "data/packed").exists()
    assert seen("npz:own.npz", tmp_path, whole=True).facts["pixels"]


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["medmnist/breastmnist", "busi/busi_256", "jsrt/jsrt_lung_224"])
def test_real_datasets_are_taken_as_before(real_data: Path, tmp_path: Path, name: str) -> None:
    path = real_data / f"{name}.npz"
    card = resolve(f"npz:{path}")
    assert source_digest(card, tmp_path) == f"sha256:{sha256_of(path, tmp_path)}"
    facts_seen = survey.survey(card, tmp_path, source_digest(card, tmp_path))
    with np.load(path) as content:
        if "train_label" in content:
            values = np.concatenate(
                [content[f"{s}_label"].ravel() for s in ("train", "val", "test")]
            )
            shares = np.unique(values, return_counts=True)[1] / values.size
            assert list(facts_seen.facts["mask_classes"].values()) == pytest.approx(shares)
        if "train_labels" in content:
            labels = np.concatenate(
                [content[f"{s}_labels"].ravel() for s in ("train", "val", "test")]
            )
            assert facts_seen.facts["classes"]["0"] == pytest.approx((labels == 0).mean())

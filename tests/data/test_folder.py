import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from omnibench.cards import DatasetCard
from omnibench.data.folder import card_of, listing_of, read, source_digest
from omnibench.errors import DataError
from tests.target_values import labels_of

PIL = pytest.importorskip("PIL.Image")


def image(path: Path, value: int = 0, size: tuple[int, int] = (6, 4)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.new("L", size, value).save(path)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three classes, of which `ill` has no training image and `odd` only a test image."""
    root = tmp_path / "my set"
    for value, name in enumerate(("train/well/b.png", "train/well/a.PNG", "train/sick/c.bmp")):
        image(root / name, value)
    image(root / "val/well/x.png", 10)
    image(root / "val/ill/y.jpg", 11)
    image(root / "test/sick/z.tif", 20)
    (root / "test/sick/.DS_Store").write_bytes(b"x")
    (root / "test/sick/notes.txt").write_text("x")
    (root / "test/.hidden").mkdir()
    return root


def test_the_card(root: Path) -> None:
    assert card_of(root) == DatasetCard(
        id="folder-my-set",
        reader="folder",
        path=str(root),
        tasks=("classification",),
        labels="multi-class",
        classes=("ill", "sick", "well"),
        splits={"train": 3, "val": 2, "test": 1},
        primary={"classification": "macro-f1"},
    )
    shutil.rmtree(root / "val" / "ill")
    assert card_of(root).labels == "binary"


def test_the_card_opens_no_image(root: Path) -> None:
    (root / "train/well/a.PNG").write_bytes(b"no image")
    assert card_of(root).splits["train"] == 3


def test_images_and_labels_in_order(root: Path, tmp_path: Path) -> None:
    dataset = read(card_of(root), tmp_path)
    assert (dataset.card.channels, dataset.card.resolution) == (1, None)
    train = dataset.splits["train"]
    assert train.images.shape == (3, 4, 6)
    assert train.images.read(0, 9)[:, 0, 0].tolist() == [2, 1, 0]  # sick/c, well/a, well/b
    assert train.images.read(1, 2).shape == (1, 4, 6)
    assert labels_of(train).tolist() == [1, 2, 2]
    assert dataset.digests == {"files": source_digest(root, tmp_path)}


def test_the_digest_is_that_of_the_images_and_their_places(root: Path, tmp_path: Path) -> None:
    digest = source_digest(root, tmp_path)
    assert digest.startswith("sha256:")
    (root / "train/well/.thumbs").write_bytes(b"x")
    shutil.copytree(root, tmp_path / "copy")
    assert source_digest(tmp_path / "copy", tmp_path) == digest
    (root / "val/well/x.png").rename(root / "val/ill/x.png")
    assert source_digest(root, tmp_path) != digest


def link(path: Path, target: Path) -> None:
    path.symlink_to(target)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: shutil.rmtree(root), "my set is not a folder"),
        (lambda root: shutil.rmtree(root / "val"), "no folder val"),
        (lambda root: (root / "test/sick/z.tif").unlink(), "test holds no image"),
        (lambda root: (root / "train/none").mkdir(), "class 'none' has no image"),
        (lambda root: image(root / "train/loose.png"), r"loose\.png lies in no class folder"),
        (lambda root: image(root / "train/well/deep/a.png"), "deep is a folder inside a class"),
        (lambda root: link(root / "train/well/l.png", root.parent), r"l\.png is a link .* out"),
        (lambda root: link(root / "train/out", root.parent), "out is a link that leads out"),
    ],
)
def test_refusals(root: Path, change: Callable[[Path], object], message: str) -> None:
    change(root)
    with pytest.raises(DataError, match=message):
        listing_of(root)


def test_one_class_is_refused(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        image(tmp_path / split / "only" / "a.png")
    with pytest.raises(DataError, match="the one class 'only'"):
        card_of(tmp_path)


def test_links_inside_the_folder_are_followed(root: Path, tmp_path: Path) -> None:
    link(root / "test/sick/same.png", root / "train/well/b.png")
    assert read(card_of(root), tmp_path).splits["test"].images.read(0, 1)[0, 0, 0] == 0


def test_a_damaged_image_is_named(root: Path, tmp_path: Path) -> None:
    path = root / "train/well/a.PNG"
    path.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"a\.PNG cannot be read as an image.*replace or remove"):
        read(card_of(root), tmp_path)
    rng = np.random.default_rng(0)
    PIL.fromarray(rng.integers(0, 256, (64, 64), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    images = read(card_of(root), tmp_path).splits["train"].images
    with pytest.raises(DataError, match=r"a\.PNG cannot be read as an image"):
        images.read(0, 3)


def test_two_forms_of_an_accent_are_one_class(tmp_path: Path) -> None:
    composed, decomposed = "l\u00e9sion", "le\u0301sion"
    for split, name in (("train", composed), ("val", decomposed), ("test", decomposed)):
        image(tmp_path / "set" / split / name / "x.png")
        image(tmp_path / "set" / split / "lisse" / "y.png")
    image(tmp_path / "set/train" / decomposed / "z.png")
    listing = listing_of(tmp_path / "set")
    assert listing.classes == (composed, "lisse")
    assert listing.labels == {"train": (0, 1, 0), "val": (0, 1), "test": (0, 1)}


@pytest.mark.parametrize("kind", ["ordinal", "multi-class"])
def test_the_kind_of_labels_may_be_declared(root: Path, kind: str) -> None:
    (root / "omnibench.yaml").write_text(f"labels: {kind}")
    assert card_of(root).labels == kind
    (root / "omnibench.yaml").write_text("labels: binary")
    with pytest.raises(DataError, match=r"3 class folders.*declares `labels: binary`"):
        card_of(root)


def test_a_folder_of_dicom_says_what_to_do(root: Path) -> None:
    for path in (root / "val").rglob("*.*"):
        path.rename(path.with_suffix(".dcm"))
    with pytest.raises(DataError, match=r"val holds no image.*there are .*2 \.dcm.*convert them"):
        listing_of(root)

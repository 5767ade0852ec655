import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from omnibench.cards import DatasetCard
from omnibench.data import sources
from omnibench.data.image_tree import card_of, source_digest
from omnibench.data.listing import image_names
from omnibench.errors import DataError

NAMES = ("a/b/c/deep.jpg", "a/x.PNG", "a/y.tif", "top.png")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four images at four depths, among files that are none."""
    root = tmp_path / "my images"
    for value, name in enumerate(NAMES):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (6, 4), value).save(root / name)
    for name in ("a/.hidden.png", ".cache/z.png", "a/notes.txt", "png"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def test_the_card_counts_every_image_and_opens_none(root: Path) -> None:
    (root / "top.png").write_bytes(b"no image")
    assert image_names(root) == NAMES
    assert card_of(root) == DatasetCard(
        id="images-my-images",
        reader="images",
        path=str(root),
        tasks=("pretraining",),
        splits={"train": 4},
    )
    assert sources.resolve("images:my images", root.parent) == card_of(root)


def test_the_digest_is_that_of_the_images_and_their_places(root: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    digest = sources.source_digest(card_of(root), data)
    assert digest == source_digest(root, data)
    (root / "a/notes.txt").write_text("others")
    shutil.copytree(root, tmp_path / "copy")
    assert source_digest(tmp_path / "copy", data) == digest
    (root / "top.png").rename(root / "a/top.png")
    moved = source_digest(root, data)
    Image.new("L", (6, 4), 9).save(root / "a/top.png")
    assert len({digest, moved, source_digest(root, data)}) == 3


def test_loading_gives_grey_squares(root: Path, tmp_path: Path) -> None:
    dataset = sources.load(card_of(root), tmp_path)
    images = dataset.splits["train"].images
    assert images.shape == (4, 224, 224)
    assert images.read(1, 9)[:, 0, 0].tolist() == [1, 2, 3]
    assert dataset.digests == {"files": sources.source_digest(card_of(root), tmp_path)}


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    root = tmp_path / "set"
    with pytest.raises(DataError, match=r"set cannot be listed \(No such file.*\); put a folder"):
        card_of(root)
    (root / "deep").mkdir(parents=True)
    (root / "deep/x.txt").touch()
    with pytest.raises(DataError, match=r"set holds no image \(\.png, .*at any depth; put some"):
        card_of(root)
    [need] = sources.missing(sources.resolve("images:set", tmp_path), tmp_path)
    assert need.startswith("data images-set: ")
    assert "holds no image" in need


def test_links_inside_are_followed_to_files_alone(root: Path, tmp_path: Path) -> None:
    (root / "again.png").symlink_to(root / ".cache/z.png")  # as git-annex keeps them
    (root / "a/loop").symlink_to(root)
    assert image_names(root) == (*NAMES[:3], "again.png", NAMES[3])
    (tmp_path / "link").symlink_to(root)
    assert image_names(tmp_path / "link") == image_names(root)


@pytest.mark.parametrize("target", ["elsewhere", "elsewhere/x.png"])
def test_links_out_are_refused(root: Path, tmp_path: Path, target: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "elsewhere/x.png")
    (root / "a/b/out.png").symlink_to(tmp_path / target)
    with pytest.raises(DataError, match=r"a/b/out\.png is a link that leads out of .*; copy what"):
        card_of(root)


@pytest.mark.skipif(sys.platform != "linux", reason="file names are UTF-8 elsewhere")
def test_a_name_that_is_no_utf8_is_refused(root: Path) -> None:
    (root / os.fsdecode(b"gr\xfcn.png")).touch()
    with pytest.raises(DataError, match=r"holds b'gr\\xfcn\.png', a name that is no UTF-8"):
        card_of(root)


def test_resolving_imports_no_torch(root: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from omnibench.data.pool import pool_card
pool_card(["phantom", "radimagenet", {f"images:{root}"!r}], Path())
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0

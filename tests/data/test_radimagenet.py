import hashlib
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from omnibench.catalogue import datasets
from omnibench.data import download, sources
from omnibench.data.pool import open_pool
from omnibench.data.radimagenet import CARD, training_names
from omnibench.errors import DataError

NAMES = (
    "radiology_ai/CT/lung/normal/lung-normal000032.png",
    "radiology_ai/MR/knee/acl/x.png",
    "radiology_ai/US/gb/y.png",
)


def fill(root: Path, names: tuple[str, ...] = NAMES) -> Path:
    for value, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 10 * value).save(root / name)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return fill(tmp_path / "radimagenet")


def write_list(path: Path, *names: str, header: str = "filename,label") -> None:
    path.write_text(f"{header}\n" + "".join(f"{name},x\n" for name in names))


def test_the_card() -> None:
    assert datasets.get("radimagenet") is CARD
    assert CARD.splits == {"train": 1_080_000, "val": 135_000, "test": 135_000}
    assert CARD.tasks == ("pretraining",)
    assert download.verify(CARD, Path("nowhere")) == []


def test_what_is_missing_says_where_to_ask_and_where_to_put_it(tmp_path: Path) -> None:
    need = (
        "data radimagenet: ask for it at https://www.radimagenet.com and put (or link) it at "
        f"{tmp_path / 'radimagenet'}"
    )
    assert sources.missing(CARD, tmp_path) == [need]
    with pytest.raises(DataError, match=r"ask for it at https://www\.radimagenet\.com"):
        open_pool(CARD, tmp_path)
    (tmp_path / "radimagenet").mkdir()
    assert sources.missing(CARD, tmp_path) == [need]
    with pytest.raises(DataError, match="radimagenet holds no image"):
        sources.source_digest(CARD, tmp_path)
    fill(tmp_path / "elsewhere")
    (tmp_path / "radimagenet").rmdir()
    (tmp_path / "radimagenet").symlink_to(tmp_path / "elsewhere")
    assert sources.missing(CARD, tmp_path) == []
    assert len(open_pool(CARD, tmp_path)) == 3


def test_without_a_list_every_image_is_taken(root: Path, tmp_path: Path) -> None:
    assert training_names(root) == NAMES
    pool = open_pool(CARD, tmp_path)
    assert pool.members == ("radimagenet",)
    assert pool.read(np.array([2, 1]), 8)[:, 0, 0].tolist() == [20, 10]
    assert sources.load(CARD, tmp_path).splits["train"].images.shape == (3, 224, 224)


@pytest.mark.parametrize("place", [".", "radiology_ai", "RadImageNet_split"])
def test_the_training_list_is_kept_to(root: Path, tmp_path: Path, place: str) -> None:
    (root / place).mkdir(exist_ok=True)
    write_list(root / place / "RadiologyAI_train.csv", NAMES[2], NAMES[0])
    write_list(root / place / "RadiologyAI_test.csv", NAMES[1])
    assert training_names(root) == (NAMES[0], NAMES[2])
    assert len(open_pool(CARD, tmp_path)) == 2


def test_the_list_fits_wherever_the_release_is_unpacked(tmp_path: Path) -> None:
    deeper = fill(tmp_path / "deeper", tuple(f"release/2d/{name}" for name in NAMES))
    flat = fill(tmp_path / "flat", tuple(n.removeprefix("radiology_ai/") for n in NAMES))
    for root in (deeper, flat):
        write_list(root / "RadiologyAI_train.csv", *NAMES[1:])
        assert [name.rpartition("/")[2] for name in training_names(root)] == ["x.png", "y.png"]


def test_images_that_the_list_names_and_the_folder_lacks(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = root / "RadiologyAI_train.csv"
    write_list(path, NAMES[0], "radiology_ai/CT/lung/gone.png", "radiology_ai/CT/lung/too.png")
    with caplog.at_level(logging.WARNING, "omnibench"):
        assert training_names(root) == NAMES[:1]
    assert caplog.messages == [f"{root} lacks 2 of the images that {path} names"]
    write_list(path, "radiology_ai/CT/lung/gone.png")
    with pytest.raises(DataError, match=r"holds no image that .*train\.csv names; unpack"):
        training_names(root)


def test_a_list_that_is_none(root: Path) -> None:
    path = root / "RadiologyAI_train.csv"
    write_list(path, NAMES[0], header="file,label")
    with pytest.raises(DataError, match=r"train\.csv has no column 'filename'; get it again"):
        training_names(root)
    path.write_bytes(b"filename\n\xff\xfe\n")
    with pytest.raises(DataError, match=r"train\.csv cannot be read as CSV .*; get it again"):
        training_names(root)


def test_the_digest_is_of_names_and_sizes(root: Path, tmp_path: Path) -> None:
    lines = "".join(f"{name}\0{(root / name).stat().st_size}\n" for name in NAMES)
    expected = f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"
    assert sources.source_digest(CARD, tmp_path) == expected
    assert not (tmp_path / "checksums.index").exists()
    (root / NAMES[1]).write_bytes(b"cut")
    cut = sources.source_digest(CARD, tmp_path)
    write_list(root / "RadiologyAI_train.csv", *NAMES[:2])
    assert len({expected, cut, sources.source_digest(CARD, tmp_path)}) == 3
    (root / NAMES[1]).unlink()
    (root / NAMES[1]).symlink_to(root / "gone")
    with pytest.raises(DataError, match=r"x\.png cannot be read .*; unpack it again or remove it"):
        sources.source_digest(CARD, tmp_path)

import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import errors
from PIL import Image

from omnibench.data import checksums, download, parquet, sources
from omnibench.data.rocov2 import CARD, HUB_SPLITS
from omnibench.errors import DataError
from tests.target_values import captions_of

SMALL = CARD.model_copy(update={"splits": {"train": 5, "val": 2, "test": 3}, "resolution": 8})


def encoded(value: int, mode: str = "L", size: tuple[int, int] = (12, 10)) -> bytes:
    file = BytesIO()
    colour: Any = value if mode in ("L", "I;16") else (value, value, 0)
    Image.new(mode, size, colour).save(file, "PNG")
    return file.getvalue()


def write(path: Path, images: list[bytes | None], captions: list[str | None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(
        {
            "image": [None if image is None else {"bytes": image, "path": "x"} for image in images],
            "image_id": [f"ROCOv2_{row}" for row in range(len(images))],
            "caption": captions,
            "cui": [["C1"]] * len(images),
        }
    )
    pq.write_table(table, path, row_group_size=2)


def fill(folder: Path) -> None:
    """Five, two and three images; the first value of a file's images is ten times its place."""
    write(folder / "train-00000-of-00002.parquet", [*map(encoded, (10, 11, 12))], ["a", "b", "c"])
    write(
        folder / "train-00001-of-00002.parquet",
        [encoded(20, "RGB"), encoded(21, size=(8, 8))],
        ["d\n e", "f"],
    )
    write(folder / "validation-00000-of-00001.parquet", [*map(encoded, (30, 31))], ["g", "h"])
    write(folder / "test-00000-of-00001.parquet", [*map(encoded, (40, 41, 42))], ["i", "j", "k"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(tmp_path / "rocov2")
    return tmp_path / "rocov2"


def test_images_and_captions_in_order(folder: Path, tmp_path: Path) -> None:
    dataset = sources.load(SMALL, tmp_path)
    train, test = dataset.splits["train"], dataset.splits["test"]
    assert train.images.shape == (5, 8, 8, 3)
    assert train.images.read(0, 9)[:, 7, 7].tolist() == [
        *([value] * 3 for value in (10, 11, 12)),
        [20, 20, 0],
        [21, 21, 21],
    ]
    assert captions_of(train) == ("a", "b", "c", "d e", "f")
    assert test.images.read_rows(np.array([2, 0]))[:, 0, 0, 0].tolist() == [42, 40]
    assert captions_of(test) == ("i", "j", "k")
    assert train.groups is None
    assert dataset.digests["files"] == sources.source_digest(SMALL, tmp_path)
    assert set(dataset.digests) == {"files", "train_images", "val_images", "test_images"}


def test_images_are_resized_as_those_of_folders(tmp_path: Path) -> None:
    fill(tmp_path / "rocov2")
    pixels = np.random.default_rng(0).integers(0, 256, (30, 20), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    write(
        tmp_path / "rocov2" / "validation-00000-of-00001.parquet", [file.getvalue()] * 2, ["a"] * 2
    )
    card = SMALL.model_copy(update={"channels": 1})
    expected = Image.fromarray(pixels).resize((8, 8), Image.Resampling.BILINEAR)
    actual = sources.load(card, tmp_path).splits["val"].images.read(1, 2)
    np.testing.assert_array_equal(actual[0], np.asarray(expected))


def test_images_are_decoded_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sources.load(SMALL, tmp_path)
    monkeypatch.setattr(parquet, "decode", None)
    assert sources.load(SMALL, tmp_path).digests == first.digests
    smaller = SMALL.model_copy(update={"resolution": 4})
    with pytest.raises(TypeError):  # another size is another pack
        sources.load(smaller, tmp_path)
    assert [path.name for path in (tmp_path / "packed").glob("[!.]*")] == [
        f"{first.digests['files'][7:23]}-8"
    ]


def test_the_digest_is_that_of_the_files(folder: Path, tmp_path: Path) -> None:
    digest = sources.source_digest(SMALL, tmp_path)
    fill(tmp_path / "other" / "rocov2" / "data")  # where a fetch puts them
    assert sources.source_digest(SMALL, tmp_path / "other") == digest
    write(folder / "test-00000-of-00001.parquet", [*map(encoded, (40, 41, 42))], ["i", "j", "l"])
    assert sources.source_digest(SMALL, tmp_path) != digest


def test_the_numbers_of_the_paper_and_of_the_hub(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CARD.splits == {"train": 59_958, "val": 9_904, "test": 9_927}
    with pytest.raises(DataError, match=r"holds \{'train': 5.* where 'rocov2' has .*59958.*fetch"):
        sources.load(CARD, tmp_path)
    for split, count in SMALL.splits.items():
        monkeypatch.setitem(HUB_SPLITS, split, count)
    small = CARD.model_copy(update={"resolution": 8})
    assert sources.load(small, tmp_path).card.splits == SMALL.splits


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    [need] = sources.missing(CARD, tmp_path)
    assert need == (
        "data rocov2: run `bench.py data fetch rocov2`, or put the parquet files of the hub "
        f"dataset eltorio/ROCOv2-radiology in {tmp_path / 'rocov2'} (absent: train*.parquet, "
        "val*.parquet, test*.parquet)"
    )
    with pytest.raises(DataError, match="data fetch rocov2"):
        sources.source_digest(CARD, tmp_path)
    fill(tmp_path / "rocov2")
    assert sources.missing(CARD, tmp_path) == []
    (tmp_path / "rocov2" / "train-00000-of-00002.parquet").unlink()
    [need] = sources.missing(CARD, tmp_path)
    assert need.endswith("(absent: train-00000-of-00002.parquet)")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def holed(path: Path) -> None:
    """Damage the pages and leave the footer."""
    content = bytearray(path.read_bytes())
    content[4:300] = bytes(296)
    path.write_bytes(content)


def row(image: bytes | None = b"", caption: str | None = "k") -> Callable[[Path], None]:
    return lambda path: write(
        path, [encoded(1), encoded(2), encoded(3) if image == b"" else image], ["i", "j", caption]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (cut, r"test-.*parquet cannot be read as parquet .*; delete it and fetch it again$"),
        (holed, r"test-.*parquet cannot be read as parquet .*; delete it and fetch it again$"),
        (row(image=None), "test-.*parquet, row 2 holds no image"),
        (row(image=b"no image"), "test-.*parquet, row 2 cannot be read as an image"),
        (row(image=encoded(3)[:-30]), "test-.*parquet, row 2 cannot be read as an image"),
        (row(image=encoded(3, "I;16")), "test-.*parquet, row 2 has more than 8 bits"),
        (row(caption=None), "test-.*parquet, row 2 has no text as its caption"),
        (row(caption=" \n"), "test-.*parquet, row 2 has no text as its caption"),
        (lambda p: pq.write_table(pa.table({"image": [1, 2, 3]}), p), "caption"),
        (lambda p: pq.write_table(pa.table({"image": [1] * 3, "caption": ["a"] * 3}), p), "row 0"),
    ],
)
def test_refusals(
    folder: Path, tmp_path: Path, change: Callable[[Path], None], message: str
) -> None:
    change(folder / "test-00000-of-00001.parquet")
    with pytest.raises(DataError, match=message):
        sources.load(SMALL, tmp_path)
    assert not list(tmp_path.glob("packed/*-8"))


def test_fetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def snapshot(repository: str, **options: Any) -> None:
        asked.append((repository, options))
        fill(options["local_dir"] / "data")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    monkeypatch.setattr(checksums, "SETTLED_NS", -1_000_000_000)  # files count as settled at once
    by_hand = tmp_path / "rocov2" / "test-x.parquet"
    write(by_hand, [], [])
    download.fetch(SMALL, tmp_path, lambda *_: None)
    download.fetch(SMALL, tmp_path, lambda *_: None)  # all is there: nothing is asked
    [(repository, options)] = asked
    assert repository == "eltorio/ROCOv2-radiology"
    assert (options["repo_type"], options["ignore_patterns"]) == ("dataset", ["*/test-x.parquet"])
    assert (tmp_path / "checksums.index").is_file()
    assert captions_of(sources.load(SMALL, tmp_path).splits["val"]) == (
        "g",
        "h",
    )


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (errors.LocalEntryNotFoundError("no network"), "the hub is out of reach; absent: train"),
        (OSError(28, "No space left on device"), "No space left on device; absent: train"),
        (None, r"out of reach or lacks some; absent: train\*"),
    ],
)
def test_fetching_in_vain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception | None, message: str
) -> None:
    def snapshot(*_: Any, **__: Any) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    with pytest.raises(
        DataError, match=f"ROCOv2-radiology cannot be fetched .*{message}.* try again"
    ):
        download.fetch(SMALL, tmp_path, lambda *_: None)


def test_planning_imports_nothing_heavy(folder: Path, tmp_path: Path) -> None:
    heavy: list[Any] = ["numpy", "torch", "datasets", "pyarrow", "huggingface_hub"]
    code = (
        "import sys, pathlib; from omnibench.data import sources, rocov2; "
        f"at = pathlib.Path({str(tmp_path)!r}); "
        "sources.missing(rocov2.CARD, at); sources.source_digest(rocov2.CARD, at); "
        f"sys.exit(str(sorted(set({heavy}) & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "[]"

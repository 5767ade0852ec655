import errno
import hashlib
import json
import pickle
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.data.packing import PackedImages, Stream, pack
from omnibench.errors import DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (23, 5, 7, 3), dtype=np.uint8)


class Source:
    """Streams IMAGES and counts the passes."""

    def __init__(self) -> None:
        self.passes = 0

    def chunks(self) -> Iterator[NDArray[np.uint8]]:
        self.passes += 1
        for start in range(0, len(IMAGES), 4):
            yield IMAGES[start : start + 4]


@pytest.fixture
def source() -> Source:
    return Source()


def packed(folder: Path, source: Source) -> PackedImages:
    return pack(folder, {"train_images": Stream(IMAGES.shape, source.chunks)}, "x.npz")[
        "train_images"
    ]


@pytest.mark.parametrize(("start", "stop"), [(0, 23), (3, 9), (22, 99), (23, 30), (5, 5)])
def test_reads_what_was_written(tmp_path: Path, source: Source, start: int, stop: int) -> None:
    images = packed(tmp_path / "p", source)
    assert images.shape == IMAGES.shape
    np.testing.assert_array_equal(images.read(start, stop), IMAGES[start:stop])


def test_reads_rows_in_their_order(tmp_path: Path, source: Source) -> None:
    images = packed(tmp_path / "p", source)
    order = np.array([22, 0, 7, 7, 3])
    np.testing.assert_array_equal(images.read_rows(order), IMAGES[order])
    assert images.read_rows([]).shape == (0, 5, 7, 3)
    for bad in ([23], [-1]):
        with pytest.raises(IndexError, match=r"0\.\.22"):
            images.read_rows(bad)


def test_survives_pickling(tmp_path: Path, source: Source) -> None:
    images = pickle.loads(pickle.dumps(packed(tmp_path / "p", source)))
    np.testing.assert_array_equal(images.read(2, 4), IMAGES[2:4])


def test_is_written_once_with_its_checksum(tmp_path: Path, source: Source) -> None:
    first, second = packed(tmp_path / "p", source), packed(tmp_path / "p", source)
    assert source.passes == 1
    assert first == second
    assert first.checksum == f"sha256:{hashlib.sha256(IMAGES.tobytes()).hexdigest()}"
    assert first.path.read_bytes() == IMAGES.tobytes()


def test_damage_is_repaired(tmp_path: Path, source: Source) -> None:
    folder = tmp_path / "p"
    images = packed(folder, source)

    def cut() -> None:
        images.path.write_bytes(images.path.read_bytes()[:-1])

    def scribble() -> None:
        (folder / "manifest.json").write_text('{"schema": 1')

    def other_shape() -> None:
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["arrays"]["train_images"]["shape"] = [23, 7, 5, 3]
        (folder / "manifest.json").write_text(json.dumps(manifest))

    for passes, damage in enumerate((cut, images.path.unlink, scribble, other_shape), start=2):
        damage()
        np.testing.assert_array_equal(packed(folder, source).read(0, 23), IMAGES)
        assert source.passes == passes


def test_a_pack_cut_short_while_in_use_is_refused(tmp_path: Path, source: Source) -> None:
    images = packed(tmp_path / "p", source)
    images.path.write_bytes(images.path.read_bytes()[:-1])
    assert images.read(0, 22).shape[0] == 22
    with pytest.raises(DataError, match=r"ends too early.*rebuilt"):
        images.read(0, 23)


def test_what_a_killed_writer_left_is_removed(tmp_path: Path, source: Source) -> None:
    leftover = tmp_path / ".p.12345.tmp"
    leftover.mkdir()
    (leftover / "train_images.u8").write_bytes(b"half")
    packed(tmp_path / "p", source)
    assert not leftover.exists()


def test_a_failing_stream_leaves_nothing(tmp_path: Path) -> None:
    def chunks() -> Iterator[NDArray[np.uint8]]:
        yield IMAGES[:4]
        raise DataError("image 5 is damaged")

    with pytest.raises(DataError, match="image 5"):
        pack(tmp_path / "p", {"train_images": Stream(IMAGES.shape, chunks)}, "x.npz")
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_a_full_disk_is_named(
    tmp_path: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError, match=r"x\.npz.*No space left.*make room"):
        packed(tmp_path / "p", source)
    assert not (tmp_path / "p").exists()


def _pack_elsewhere(folder: Path) -> tuple[int, bytes]:
    source = Source()
    return len(packed(folder, source).read(0, 23)), str(source.passes).encode()


def test_two_processes_write_once(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        results = list(pool.map(_pack_elsewhere, [tmp_path / "p"] * 4))
    assert [rows for rows, _ in results] == [23] * 4
    assert sorted(passes for _, passes in results) == [b"0", b"0", b"0", b"1"]
    shutil.rmtree(tmp_path / "p")

"""Arrays that hold pickles, or far more than their file."""

import io
import os
import re
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.record_files import predictions_path
from tests.conftest import Bench
from tests.security.attack_tools import Bomb

pytestmark = pytest.mark.usefixtures("in_process")

BLOCKED = r"blocked: data npz-evil: .*evil\.npz: "


def npy_header(shape: tuple[int], dtype: str = "|u1") -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["train_images", "val_labels", "test_groups", "train_label"])
def test_a_pickle_in_an_npz_is_refused_unrun(
    bench: Bench, bomb: Bomb, suite: Any, arrays: dict[str, Any], tmp_path: Path, name: str
) -> None:
    arrays[name] = np.array([bomb] * 6, object)
    if name == "train_label":  # masks, which stand for every split
        arrays |= {f"{split}_label": arrays[f"{split}_images"] for split in ("val", "test")}
    np.savez(tmp_path / "evil.npz", **arrays)
    status, out, err = bench("plan", suite("npz:evil.npz"))
    assert status == 0
    assert re.search(
        rf"{BLOCKED}{name} holds pickled Python objects, which are never opened; save plain", out
    ), out
    status, _, err = bench("run", tmp_path / "attack.yaml")
    assert (status, f"{name} holds pickled Python objects" in err) == (2, True)
    assert "Traceback" not in err


def test_a_pickle_among_a_record_s_predictions_is_refused_unrun(
    bench: Bench,
    bomb: Bomb,
    suite: Any,
    arrays: dict[str, Any],
    plant: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    np.savez(tmp_path / "good.npz", **arrays)
    path = suite("npz:good.npz")
    [(_, record)] = plant(path)
    np.savez(predictions_path(record), test_logits=np.array([bomb], object))
    status, out, err = bench("rescore", path)
    assert (status, out, err) == (0, f"{path}: 0 records scored, 0 changed\n", "")
    assert f"{predictions_path(record)} is damaged: it is not as it was written" in caplog.text


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (6, 8, 8), ",  # no }
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (6, 8, 8",
        b"('",
        b"[" * 500,
        b"{" * 9000,
        b"\xff\xfe",
        b"{'descr': 3, 'fortran_order': 3, 'shape': 3}",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (-6, 8, 8)}",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (6, 8, 10**99)}",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (6, 8, 99999999999999999999)}",
        b"{'descr': [('a', [])], 'fortran_order': False, 'shape': (6,)}",
        b"0" * 9000,
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_a_broken_header_is_one_sentence(
    bench: Bench, suite: Any, arrays: dict[str, Any], tmp_path: Path, header: bytes, version: int
) -> None:
    np.savez(tmp_path / "good.npz", **arrays)
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    member = b"\x93NUMPY" + bytes([version, 0]) + length + header
    with (
        zipfile.ZipFile(tmp_path / "good.npz") as good,
        zipfile.ZipFile(tmp_path / "evil.npz", "w") as evil,
    ):
        for name in good.namelist():
            evil.writestr(name, member if name == "train_images.npy" else good.read(name))
    status, out, err = bench("plan", suite("npz:evil.npz"))
    assert (status, "Traceback" in out + err) == (0, False), err
    assert re.search(rf"{BLOCKED}train_images is damaged or cut short", out), out


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_a_dataset_that_is_no_file_is_one_sentence_at_once(
    bench: Bench, suite: Any, tmp_path: Path, kind: str
) -> None:
    path = Path("/dev/zero") if kind == "device" else tmp_path / "evil.npz"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    for command in ("plan", "run", "status"):
        _, out, err = bench(command, suite(f"npz:{path}"))
        assert "Traceback" not in out + err
        assert re.search(r"(not a file|does not exist)", out + err), out + err


def test_labels_that_unpack_to_far_more_than_there_are_images_take_no_memory(
    bench: Bench, suite: Any, arrays: dict[str, Any], tmp_path: Path
) -> None:
    del arrays["val_labels"]
    np.savez(tmp_path / "evil.npz", **arrays)
    size = 300_000_000
    with (
        zipfile.ZipFile(tmp_path / "evil.npz", "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("val_labels.npy", "w") as member,
    ):
        member.write(npy_header((size,)))
        for _ in range(300):
            member.write(bytes(size // 300))
    assert (tmp_path / "evil.npz").stat().st_size < 1_000_000
    tracemalloc.start()
    try:
        _, out, _ = bench("plan", suite("npz:evil.npz"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert re.search(rf"{BLOCKED}val_labels holds {size} labels for 6 images; save one", out), out
    assert peak < size / 3


def test_an_array_that_no_memory_holds_is_refused(
    bench: Bench,
    suite: Any,
    arrays: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def short(*_: object) -> None:
        raise MemoryError("Unable to allocate 9.09 TiB")

    np.savez(tmp_path / "evil.npz", **arrays)
    path = suite("npz:evil.npz")
    monkeypatch.setattr("omnibench.data.npz_archive._fill", short)
    _, out, err = bench("plan", path)
    assert re.search(rf"{BLOCKED}train_labels is damaged or cut short \(Unable to alloc", out), out
    assert "Traceback" not in err


def test_an_array_whose_header_lies_is_refused(
    bench: Bench, suite: Any, arrays: dict[str, Any], tmp_path: Path
) -> None:
    del arrays["val_labels"]
    np.savez(tmp_path / "evil.npz", **arrays)
    with zipfile.ZipFile(tmp_path / "evil.npz", "a") as archive:
        archive.writestr("val_labels.npy", npy_header((10**12,)) + b"\0" * 6)
    _, out, _ = bench("plan", suite("npz:evil.npz"))
    assert re.search(rf"{BLOCKED}val_labels is damaged .*not what its header says", out), out

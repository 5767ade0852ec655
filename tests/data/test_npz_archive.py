import io
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibench.data import npz_archive
from omnibench.data.npz_archive import Archive
from omnibench.errors import DataError

Save = Callable[..., Path]


@pytest.mark.parametrize("dtype", ["uint8", "float32", ">i4", "U3", "bool"])
def test_arrays_equal_numpy(save: Save, dtype: str) -> None:
    array = (np.arange(60).reshape(5, 3, 4) % 2).astype(dtype)
    with Archive(save({"a": array, "f": np.asfortranarray(array), "s": array[0, 0, 0]})) as archive:
        for name in ("a", "f"):
            np.testing.assert_array_equal(archive.array(name), array)
            np.testing.assert_array_equal(np.concatenate(list(archive.chunks(name))), array)
        assert archive.array("s").shape == ()
        member = archive.member("a")
        assert member is not None
        assert (member.shape, member.dtype) == ((5, 3, 4), array.dtype)
        assert archive.member("absent") is None


@settings(max_examples=20)
@given(count=st.integers(0, 50), size=st.integers(0, 40), chunk=st.integers(1, 3000))
def test_chunks_are_whole_rows_of_the_size_asked_for(count: int, size: int, chunk: int) -> None:
    array = np.arange(count * size, dtype=np.int16).reshape(count, size)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(npz_archive, "CHUNK_BYTES", chunk)
        path = Path(folder) / "a.npz"
        np.savez_compressed(path, a=array)
        with Archive(path) as archive:
            chunks = list(archive.chunks("a"))
    assert all(part.nbytes <= max(chunk, size * 2) for part in chunks)
    if count:
        np.testing.assert_array_equal(np.concatenate(chunks), array)


def test_pickles_are_never_opened(save: Save) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (pytest.fail, ("a pickle was opened",))

    with Archive(save({"a": np.array([Bomb()], object)})) as archive:
        for attempt in (archive.member, archive.array, lambda name: list(archive.chunks(name))):
            with pytest.raises(DataError, match=r"own\.npz: a holds pickled"):
                attempt("a")


def test_absent_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.npz does not exist"):
        Archive(tmp_path / "gone.npz")
    np.save(tmp_path / "one.npy", np.zeros(3))
    for name, content in (("empty", b""), ("text", b"hello"), ("one", None)):
        path = tmp_path / f"{name}.npy"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DataError, match=rf"{name}\.npy is no npz file"):
            Archive(path)
    with pytest.raises(DataError, match="cannot be opened \\(it is a folder, not a file\\)"):
        Archive(tmp_path)


def test_a_file_cut_anywhere_is_refused(save: Save, tmp_path: Path) -> None:
    path = save({"a": np.random.default_rng(0).integers(0, 9, (50, 8, 8))})
    content = path.read_bytes()
    for length in range(0, len(content) - 1, 97):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match="cut short"):
            Archive(path)


def test_any_flipped_byte_is_found_or_harmless(save: Save) -> None:
    array = np.random.default_rng(0).integers(0, 9, (20, 8, 8), dtype=np.uint8)
    path = save({"a": array})
    content = path.read_bytes()
    refused = 0
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        try:
            with Archive(path) as archive:
                if archive.member("a") is not None:
                    np.testing.assert_array_equal(np.concatenate(list(archive.chunks("a"))), array)
        except DataError:
            refused += 1
    assert refused > len(content) // 7 // 2


def test_a_header_that_lies_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((2, 2), np.uint8))
    lie = buffer.getvalue().replace(b"(2, 2), }        ", b"(999999, 999999)}")
    assert lie != buffer.getvalue()
    path = tmp_path / "lie.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", lie)
    with pytest.raises(DataError, match=r"a is damaged .*its header says"):
        Archive(path).array("a")


def test_unknown_headers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x03\x00" + b"\x00" * 100)
        archive.writestr("b.npy", b"no npy at all")
    for name in ("a", "b"):
        with pytest.raises(DataError, match=f"{name} is damaged"):
            Archive(path).member(name)

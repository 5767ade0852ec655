import hashlib
import json
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from omnibench.data import checksums
from omnibench.data.checksums import checksum_like, sha256_of, sha256_of_folder
from omnibench.errors import DataError


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were really hashed, in order."""
    paths: list[Path] = []
    original = checksums.hash_file

    def spy(algorithm: str, path: Path) -> str:
        paths.append(path)
        return original(algorithm, path)

    monkeypatch.setattr(checksums, "hash_file", spy)
    return paths


def test_equals_hashlib(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc" * 1000)
    assert sha256_of(path, tmp_path) == hashlib.sha256(b"abc" * 1000).hexdigest()
    md5 = hashlib.md5(b"abc" * 1000).hexdigest()
    assert checksum_like("md5:whatever", path, tmp_path) == f"md5:{md5}"


def test_hashes_once(tmp_path: Path, hashed: list[Path]) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert sha256_of(path, tmp_path) == sha256_of(path, tmp_path)
    assert hashed == [path]


@pytest.mark.parametrize("content", [b"abcd", b"xyz"])
def test_hashes_again_after_a_change(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    sha256_of(path, tmp_path)
    before = path.stat().st_mtime_ns
    path.write_bytes(content)
    os.utime(path, ns=(before + 1, before + 1))
    assert sha256_of(path, tmp_path) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("memory", ["{", "[1]", '{"sha256 x": 3}', "\x00"])
def test_a_damaged_memory_is_ignored(tmp_path: Path, memory: str) -> None:
    (tmp_path / "checksums.json").write_text(memory)
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert sha256_of(path, tmp_path) == hashlib.sha256(b"abc").hexdigest()
    assert f"sha256 {path}" in json.loads((tmp_path / "checksums.json").read_text())


def test_works_where_nothing_can_be_remembered(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    no_folder = tmp_path / "a" / "below-a-file"
    assert sha256_of(path, no_folder) == hashlib.sha256(b"abc").hexdigest()


def test_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        sha256_of(tmp_path / "nowhere", tmp_path)


def _remember(job: tuple[Path, Path]) -> str:
    return sha256_of(*job)


def test_processes_share_one_memory(tmp_path: Path) -> None:
    paths = [tmp_path / f"{index}" for index in range(12)]
    for path in paths:
        path.write_bytes(path.name.encode())
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(_remember, [(path, tmp_path) for path in paths]))
    assert found == [hashlib.sha256(path.name.encode()).hexdigest() for path in paths]
    memory = json.loads((tmp_path / "checksums.json").read_text())
    assert set(memory) == {f"sha256 {path}" for path in paths}


def test_folder_digest(tmp_path: Path, hashed: list[Path]) -> None:
    for name in ("b", "a"):
        (tmp_path / name).write_bytes(name.encode())
    digest = sha256_of_folder(tmp_path, ["b", "a"], tmp_path)
    assert digest == sha256_of_folder(tmp_path, ["a", "b"], tmp_path)
    assert len(hashed) == 2
    (tmp_path / "a").rename(tmp_path / "c")
    assert sha256_of_folder(tmp_path, ["b", "c"], tmp_path) != digest

import hashlib
import json
import os
import socket
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from omnibench.data import checksums
from omnibench.data.checksums import checksum_like, remembered, sha256_of, sha256_of_folder
from omnibench.errors import DataError
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled at once."""
    monkeypatch.setattr(checksums, "SETTLED_NS", -1_000_000_000)


def in_memory(folder: Path) -> dict[str, list[Any]]:
    memory: dict[str, list[Any]] = json.loads(
        (folder / "checksums.index").read_bytes().partition(b"\n")[2]
    )
    return memory


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


def later(path: Path, probe: Path) -> bool:
    """Tell whether the file system's clock has ticked since a file was changed."""
    probe.write_bytes(b"")
    return probe.stat().st_ctime_ns > path.stat().st_ctime_ns


def test_other_bytes_with_size_and_mtime_restored_get_their_own_checksum(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    sha256_of(path, tmp_path)
    before = path.stat().st_mtime_ns
    wait_until(lambda: later(path, tmp_path / "probe"))
    path.write_bytes(b"xyz")
    os.utime(path, ns=(before, before))
    assert sha256_of(path, tmp_path) == hashlib.sha256(b"xyz").hexdigest()


def test_another_file_in_its_place_is_told_by_its_inode(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    other = tmp_path / "b"
    other.write_bytes(b"xyz")
    sha256_of(path, tmp_path)
    stamps = [checksums._stamp(file) for file in (path, other)]
    assert stamps[0] is not None
    assert stamps[1] is not None
    assert stamps[0][3] != stamps[1][3]


def test_what_changed_just_now_is_hashed_again(
    tmp_path: Path, hashed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checksums, "SETTLED_NS", 3_600_000_000_000)
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert sha256_of(path, tmp_path) == sha256_of(path, tmp_path)
    assert hashed == [path, path]


def test_a_flipped_bit_of_the_memory_is_never_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    truth = sha256_of(path, tmp_path)
    memory = tmp_path / "checksums.index"
    content = memory.read_bytes()
    for bit in range(8 * len(content)):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        memory.write_bytes(changed)
        assert checksums._recall(memory) == {}
    assert sha256_of(path, tmp_path) == truth


@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
def test_what_is_no_file_is_refused_in_a_sentence(tmp_path: Path, kind: str) -> None:
    path = Path("/dev/zero") if kind == "device" else tmp_path / "p"
    if kind == "pipe":
        os.mkfifo(path)
    with socket.socket(socket.AF_UNIX) as listening:
        if kind == "socket":
            listening.bind(str(path))
        with pytest.raises(DataError, match="it is a pipe, a socket or a device, not a file"):
            sha256_of(path, tmp_path)


@pytest.mark.parametrize("memory", ["{", "[1]", '{"sha256 x": 3}', "\x00"])
def test_a_damaged_memory_is_ignored(tmp_path: Path, memory: str) -> None:
    (tmp_path / "checksums.index").write_text(memory)
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert sha256_of(path, tmp_path) == hashlib.sha256(b"abc").hexdigest()
    assert f"sha256 {path}" in in_memory(tmp_path)


def test_works_where_nothing_can_be_remembered(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    no_folder = tmp_path / "a" / "below-a-file"
    assert sha256_of(path, no_folder) == hashlib.sha256(b"abc").hexdigest()


def test_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        sha256_of(tmp_path / "nowhere", tmp_path)


def _remember(job: tuple[Path, Path]) -> str:
    pytest.MonkeyPatch().setattr(checksums, "SETTLED_NS", -1_000_000_000)  # in a process of its own
    return sha256_of(*job)


def test_processes_share_one_memory(tmp_path: Path) -> None:
    paths = [tmp_path / f"{index}" for index in range(12)]
    for path in paths:
        path.write_bytes(path.name.encode())
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        actual = list(pool.map(_remember, [(path, tmp_path) for path in paths]))
    assert actual == [hashlib.sha256(path.name.encode()).hexdigest() for path in paths]
    assert set(in_memory(tmp_path)) == {f"sha256 {path}" for path in paths}


def test_folder_digest(tmp_path: Path, hashed: list[Path]) -> None:
    for name in ("b", "a"):
        (tmp_path / name).write_bytes(name.encode())
    digest = sha256_of_folder(tmp_path, ["b", "a"], tmp_path)
    assert digest == sha256_of_folder(tmp_path, ["a", "b"], tmp_path)
    assert len(hashed) == 2
    (tmp_path / "a").rename(tmp_path / "c")
    assert sha256_of_folder(tmp_path, ["b", "c"], tmp_path) != digest


@pytest.fixture
def answers(tmp_path: Path) -> list[int]:
    """What was computed, after one answer."""
    answers: list[int] = []
    assert ask(tmp_path, "a", answers) == [1]
    assert ask(tmp_path, "a", answers) == [1]
    assert answers == [1]
    return answers


def ask(data: Path, question: str, answers: list[int]) -> list[int]:
    def compute() -> list[int]:
        answers.append(len(answers) + 1)
        return answers

    answer: list[int] = remembered(data, question, compute)
    return answer


@pytest.mark.parametrize("damage", ["answer", "question", "empty", "pipe"])
def test_a_damaged_answer_is_computed_again(
    tmp_path: Path, answers: list[int], damage: str
) -> None:
    [path] = (tmp_path / "surveys").iterdir()
    if damage == "question":  # another question's file in this one's place
        ask(tmp_path, "b", answers)
        [other] = set((tmp_path / "surveys").iterdir()) - {path}
        other.replace(path)
    elif damage == "pipe":
        path.unlink()
        os.mkfifo(path)
    else:
        content = json.dumps(json.loads(path.read_bytes()) | {"answer": [9]})
        path.write_text(content if damage == "answer" else "")
    count = len(answers)
    assert ask(tmp_path, "a", answers) == answers
    assert len(answers) == count + 1

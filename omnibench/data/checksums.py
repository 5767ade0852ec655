"""What is worked out once of files, and kept below the data folder: checksums, and other answers.

Checksums are remembered by path and by all that a change leaves behind. Losing or damaging what is
kept costs a new computation, never an answer.
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from omnibench.errors import DataError, StoreError
from omnibench.files import SETTLED_NS, open_regular, read_regular, stamp_of, write_atomically
from omnibench.locks import locked

MEMORY = "checksums.index"

# Algorithm and path -> [the file's stamp, hex digits].
Memory = dict[str, list[Any]]


def sha256_of(path: Path, data_dir: Path) -> str:
    """Return the SHA-256 of the file's bytes as 64 hex digits.

    Args:
        data_dir: holds the memory, `checksums.index`; made where it is absent.

    Raises:
        DataError: the file cannot be read.
    """
    return _checksums("sha256", [path], data_dir)[0]


def sha256_of_each(paths: Sequence[Path], data_dir: Path) -> list[str]:
    """Return the SHA-256 of many files, of which the memory is read once; as `sha256_of`."""
    return _checksums("sha256", paths, data_dir)


def checksum_like(expected: str, path: Path, data_dir: Path) -> str:
    """Return the file's checksum by the algorithm and in the form of `expected` ("md5:...")."""
    algorithm = expected.partition(":")[0]
    return f"{algorithm}:{_checksums(algorithm, [path], data_dir)[0]}"


def sha256_of_folder(root: Path, names: Iterable[str], data_dir: Path) -> str:
    """Return the SHA-256 over the sorted names (relative to `root`) and their files' SHA-256.

    Raises:
        DataError: a file cannot be read.
    """
    ordered = sorted(names)
    checksums = _checksums("sha256", [root / name for name in ordered], data_dir)
    digest = hashlib.sha256()
    for name, checksum in zip(ordered, checksums, strict=True):
        digest.update(f"{name}\0{checksum}\n".encode())
    return digest.hexdigest()


def hash_file(algorithm: str, path: Path) -> str:
    """Return the hex digits of the file's checksum, read now.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, algorithm).hexdigest()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); put the file there or correct its path"
        ) from error


def _checksums(algorithm: str, paths: Sequence[Path], data_dir: Path) -> list[str]:
    memory = data_dir / MEMORY
    known = _recall(memory)
    fresh: Memory = {}
    result = []
    for path in paths:
        key = f"{algorithm} {path.absolute()}"
        stamp = _stamp(path)
        entry = known.get(key)
        if stamp is not None and entry is not None and entry[0] == stamp:
            result.append(entry[1])
            continue
        checksum = hash_file(algorithm, path)
        # A file that was written to meanwhile is not remembered.
        if stamp is not None and stamp == _stamp(path):
            fresh[key] = [stamp, checksum]
        result.append(checksum)
    if fresh:
        _remember(memory, fresh)
    return result


def _stamp(path: Path) -> list[int] | None:
    """Return a file's stamp; None of what changed just now, or cannot be looked at.

    Its folder, which may be anyone's, is not written to for the time by its own clock.
    """
    try:
        return stamp_of(path.stat(), time.time_ns() - SETTLED_NS)
    except OSError:
        return None


def _recall(memory: Path) -> Memory:
    """Return what is remembered; nothing of a memory that is absent, damaged or of other rules."""
    try:
        head, _, body = read_regular(memory).partition(b"\n")
        if head + b"\n" != _head(body):
            return {}
        content: Memory = json.loads(body)
    except (OSError, ValueError, RecursionError):
        return {}
    return content


def _head(body: bytes) -> bytes:
    return f"omnibench checksums 2 {hashlib.sha256(body).hexdigest()}\n".encode()


def _remember(memory: Path, fresh: Memory) -> None:
    """Merge with what others remembered meanwhile; a folder that takes no file costs only time."""
    with contextlib.suppress(OSError, StoreError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        with locked(memory.with_name(f".{memory.name}.lock")):
            body = json.dumps(_recall(memory) | fresh).encode()
            write_atomically(memory, _head(body) + body)


def remembered(data_dir: Path, question: str, compute: Callable[[], Any]) -> Any:
    """Return the JSON value that answers a question, computed where it is not known.

    Args:
        question: everything that decides the answer, the source digest and the rules' version too.
    """
    name = hashlib.sha256(question.encode()).hexdigest()[:32]
    path = data_dir / "surveys" / f"{name}.json"
    try:
        entry = json.loads(read_regular(path))
        if entry["checksum"] == _checksum(question, entry["answer"]):
            return entry["answer"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        pass
    answer = json.loads(json.dumps(compute()))  # as it is read again
    with contextlib.suppress(StoreError):  # a folder that takes no file costs only time
        content = {"question": question, "answer": answer, "checksum": _checksum(question, answer)}
        write_atomically(path, json.dumps(content).encode())
    return answer


def _checksum(question: str, answer: Any) -> str:
    return hashlib.sha256(json.dumps([question, answer], sort_keys=True).encode()).hexdigest()

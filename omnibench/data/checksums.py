"""Checksums of files, computed once: remembered by path, size and time of change.

The memory is one JSON file; losing or damaging it costs a new computation, never an answer.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from omnibench.errors import DataError

MEMORY = "checksums.json"


def sha256_of(path: Path, data_dir: Path) -> str:
    """Return the SHA-256 of the file's bytes as 64 hex digits.

    Args:
        data_dir: holds the memory, `checksums.json`; made where it is absent.

    Raises:
        DataError: the file cannot be read.
    """
    return _checksums("sha256", [path], data_dir)[0]


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
        with path.open("rb") as file:
            return hashlib.file_digest(file, algorithm).hexdigest()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); put the file there or correct its path"
        ) from error


def _checksums(algorithm: str, paths: Sequence[Path], data_dir: Path) -> list[str]:
    memory = data_dir / MEMORY
    known = _recall(memory)
    fresh: dict[str, Any] = {}
    result = []
    for path in paths:
        key = f"{algorithm} {path.absolute()}"
        stamp = _stamp(path)
        entry = known.get(key)
        if stamp is not None and isinstance(entry, list) and entry[:2] == stamp:
            result.append(str(entry[2]))
            continue
        checksum = hash_file(algorithm, path)
        # a file that was written to meanwhile is not remembered
        if stamp is not None and stamp == _stamp(path):
            fresh[key] = [*stamp, checksum]
        result.append(checksum)
    if fresh:
        _remember(memory, fresh)
    return result


def _stamp(path: Path) -> list[int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def _recall(memory: Path) -> dict[str, Any]:
    try:
        content = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {
        key: entry
        for key, entry in content.items()
        if isinstance(entry, list) and len(entry) == 3 and isinstance(entry[2], str)
    }


def _remember(memory: Path, fresh: dict[str, Any]) -> None:
    """Merge with what others remembered meanwhile; a folder that takes no file costs only time."""
    with contextlib.suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(memory.with_name(f".{memory.name}.lock")):
            temporary = memory.with_name(f".{memory.name}.{os.getpid()}.tmp")
            try:
                temporary.write_text(json.dumps(_recall(memory) | fresh), encoding="utf-8")
                temporary.replace(memory)
            finally:
                temporary.unlink(missing_ok=True)

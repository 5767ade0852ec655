"""The manifest of a feature entry: its shape, its checksum, and the checksums of its shards."""

import contextlib
import json
import logging
import math
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from omnibench.cell import canonical
from omnibench.errors import StoreError
from omnibench.files import open_regular, read_regular, write_atomically
from omnibench.record import checksum

NAME = "manifest.json"
KEYS = {"key", "total", "shape", "dtype", "shards", "facts"}
CHUNK_BYTES = 8 * 2**20
DTYPES = ("float32", "float16", "uint16")
FILE = re.compile(r"[0-9]{5,}\.rows")
log = logging.getLogger("omnibench")


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return an entry's manifest; None where it is absent or damaged, which is named.

    One of the version before has no checksum: it is read as it is, and given one here.
    """
    path = folder / NAME
    try:
        manifest = json.loads(read_regular(path))
        expected = manifest.pop("checksum", None)
        if expected is None and _has_shape(manifest):
            with contextlib.suppress(StoreError):  # a folder that may only be read
                write_manifest(folder, manifest)
        elif expected != _checksum(manifest) or not _has_shape(manifest):
            raise ValueError
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        log.warning("the features' %s is damaged; they are computed again", path)
        return None
    return dict(manifest)


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write a manifest with the checksum of everything else in it.

    Raises:
        StoreError: the disk is full.
    """
    content = json.loads(json.dumps(manifest, default=dict))  # as it is read again
    content = {**content, "checksum": _checksum(content)}
    write_atomically(folder / NAME, json.dumps(content).encode())


def rows_in(manifest: Mapping[str, Any]) -> int:
    """Return how many rows the shards of a manifest hold."""
    return sum(shard["rows"] for shard in manifest["shards"])


def is_whole(folder: Path, manifest: Mapping[str, Any], shard: Mapping[str, Any]) -> bool:
    """Whether a shard is there with the checksum, and as many rows, as its manifest says."""
    row_bytes = math.prod(manifest["shape"]) * np.dtype(manifest["dtype"]).itemsize
    crc32, size = 0, 0
    try:
        with open_regular(folder / shard["file"]) as file:
            while chunk := file.read(CHUNK_BYTES):
                crc32, size = zlib.crc32(chunk, crc32), size + len(chunk)
    except OSError:
        return False
    return bool((crc32, size) == (shard["crc32"], shard["rows"] * row_bytes))


def _checksum(manifest: Mapping[str, Any]) -> str:
    return checksum(canonical(manifest).encode())


def _has_shape(manifest: Mapping[str, Any]) -> bool:
    """Whether every key that is read has what is read from it."""
    shards, facts = manifest.get("shards"), manifest.get("facts")
    return (
        manifest.keys() == KEYS
        and isinstance(manifest["key"], dict)
        and isinstance(facts, dict)
        and (not shards or isinstance(facts.get("seconds"), int | float))
        and _is_count(manifest.get("total"))
        and isinstance(shards, list)
        and all(map(_is_shard, shards))
        and isinstance(manifest.get("shape"), list)
        and all(map(_is_count, manifest["shape"]))
        and manifest.get("dtype") in (DTYPES if shards else ("", *DTYPES))
        and rows_in(manifest) <= manifest["total"]
    )


def _is_shard(shard: object) -> bool:
    return (
        isinstance(shard, dict)
        and isinstance(shard.get("file"), str)
        and FILE.fullmatch(shard["file"]) is not None
        and _is_count(shard.get("rows"))
        and _is_count(shard.get("crc32"))
    )


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0

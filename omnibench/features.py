"""The feature store: frozen features computed once, found by what decides them.

An entry is a folder named by the hash of its key. Rows lie in shards of raw float32 values, each
written atomically; the manifest, rewritten after each shard, holds row counts and checksums. A
pass that was cut short goes on after its last whole shard; a damaged shard is computed again.
"""

import json
import logging
import math
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from omnibench.cell import Unit, digest_of
from omnibench.errors import NumericError, StoreError
from omnibench.store import write_atomically

log = logging.getLogger("omnibench")

# Part of every key: raised when the code that makes features changes their values.
FEATURES_VERSION = 1
SHARD_BYTES = 64 * 2**20
SHARD_ROWS = 1024

# (first row, last row + 1) -> float32 [rows, ...]
Compute = Callable[[int, int], NDArray[np.float32]]


@dataclass(frozen=True)
class FeatureKey:
    """Everything that decides a feature array.

    Attributes:
        sources: source digests of dataset and backbone.
        kind: "embed", "tokens" or "maps:3,7,11".
        limit: how many images of the split, from the first; None for all.
    """

    sources: Mapping[str, str]
    split: str
    input_size: int
    normalization: str
    precision: str
    kind: str
    limit: int | None = None

    @property
    def digest(self) -> str:
        """The entry's name, 32 hex digits."""
        fields = {**vars(self), "sources": dict(self.sources), "version": FEATURES_VERSION}
        return digest_of(fields)[:32]


def embedding_key(unit: Unit, split: str, **sources: str) -> FeatureKey:
    """The key of a unit's embeddings of one split; `sources` adds to the source digests."""
    recipe = unit.recipe
    return FeatureKey(
        sources={**unit.sources, **sources},
        split=split,
        input_size=recipe["input_size"],
        normalization=recipe["normalization"],
        precision=recipe["precision"],
        kind="embed",
        limit=recipe["limit"],
    )


class FeatureStore:
    """Feature arrays below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, key: FeatureKey) -> tuple[NDArray[np.float32], dict[str, Any]] | None:
        """Return a complete entry's array and facts; None where it must be computed."""
        folder = self.root / key.digest
        manifest = _read_manifest(folder)
        if manifest is None or _rows(manifest) != manifest["total"]:
            return None
        array = np.empty((manifest["total"], *manifest["shape"]), np.float32)
        start = 0
        for index, shard in enumerate(manifest["shards"]):
            if not _read_shard(folder, shard, array[start : start + shard["rows"]]):
                _forget_from(folder, manifest, index)
                return None
            start += shard["rows"]
        return array, manifest["facts"]

    def holds(self, key: FeatureKey) -> bool:
        """Whether an entry is complete, judged by its manifest alone."""
        manifest = _read_manifest(self.root / key.digest)
        return manifest is not None and _rows(manifest) == manifest["total"]

    def get(
        self,
        key: FeatureKey,
        total: int,
        facts: Callable[[], Mapping[str, Any]],
        compute: Compute,
        block: int,
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Return an entry's array [total, ...] and facts, computing the rows that are absent.

        Args:
            facts: what to remember of the encoder (loaded digest, coverage); asked after the
                first rows were computed.
            compute: gives rows; called with starts that are multiples of `block`.
            block: rows a micro-batch, so that a resumed pass sees the same micro-batches.

        Raises:
            NumericError: a feature is not finite.
            StoreError: the disk is full.
        """
        found = self.read(key)
        if found is not None:
            return found
        folder = self.root / key.digest
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            found = self.read(key)  # another process may have finished it meanwhile
            if found is None:
                self._complete(folder, key, total, facts, compute, block)
                found = self.read(key)
        if found is None:
            raise StoreError(f"the features in {folder} were damaged while they were written")
        return found

    def _complete(
        self,
        folder: Path,
        key: FeatureKey,
        total: int,
        facts: Callable[[], Mapping[str, Any]],
        compute: Compute,
        block: int,
    ) -> None:
        manifest = _read_manifest(folder)
        if manifest is None or manifest["total"] != total:
            manifest = {"key": vars(key), "total": total, "shape": [], "shards": [], "facts": {}}
        start = _rows(manifest)
        while start < total:
            began = time.perf_counter()
            stop = min(total, start + _shard_rows(manifest["shape"], block))
            rows = np.ascontiguousarray(compute(start, stop), np.float32)
            if not np.isfinite(rows).all():
                bad = start + int(
                    np.flatnonzero(~np.isfinite(rows.reshape(len(rows), -1)).all(1))[0]
                )
                raise NumericError(
                    f"the backbone gives a feature that is not finite for image {bad} of "
                    f"{key.split}; try recipe precision fp32"
                )
            content = rows.tobytes()
            name = f"{len(manifest['shards']):05d}.f32"
            write_atomically(folder / name, content)
            manifest["shape"] = list(rows.shape[1:])
            manifest["shards"].append(
                {"file": name, "rows": len(rows), "crc32": zlib.crc32(content)}
            )
            manifest["facts"] = {
                **facts(),
                "seconds": manifest["facts"].get("seconds", 0.0) + time.perf_counter() - began,
            }
            write_atomically(folder / "manifest.json", json.dumps(manifest, default=dict).encode())
            start = stop


def entries(root: Path) -> list[dict[str, Any]]:
    """Every entry's key, rows, bytes and time of writing, for `cache list`."""
    found = []
    for folder in sorted(path for path in root.glob("[0-9a-f]" * 32) if path.is_dir()):
        manifest = _read_manifest(folder)
        size = sum(path.stat().st_size for path in folder.glob("*") if path.is_file())
        found.append(
            {
                "entry": folder.name,
                "complete": manifest is not None and _rows(manifest) == manifest["total"],
                "rows": _rows(manifest) if manifest else 0,
                "bytes": size,
                "key": manifest["key"] if manifest else {},
                "modified": folder.stat().st_mtime,
            }
        )
    return found


def _shard_rows(shape: list[int], block: int) -> int:
    """Rows a shard: a multiple of `block`, at most SHARD_ROWS and SHARD_BYTES."""
    row_bytes = 4 * math.prod(shape) if shape else SHARD_BYTES // SHARD_ROWS
    rows = min(SHARD_ROWS, SHARD_BYTES // max(row_bytes, 1))
    return max(rows // block, 1) * block


def _rows(manifest: Mapping[str, Any]) -> int:
    return sum(shard["rows"] for shard in manifest["shards"])


def _read_manifest(folder: Path) -> dict[str, Any] | None:
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(manifest, dict) and {"total", "shape", "shards", "facts"} <= manifest.keys()
    return manifest if whole else None


def _read_shard(folder: Path, shard: Mapping[str, Any], out: NDArray[np.float32]) -> bool:
    """Read a shard in place; False where it is absent, short or damaged."""
    view = out.reshape(-1).view(np.uint8)
    try:
        with (folder / shard["file"]).open("rb") as file:
            if file.readinto(view.data) != view.nbytes:
                return False
    except OSError:
        return False
    return bool(zlib.crc32(view.data) == shard["crc32"])


def _forget_from(folder: Path, manifest: dict[str, Any], index: int) -> None:
    """Drop a damaged shard and those after it, so that the pass goes on from there."""
    log.warning("the features in %s are damaged from shard %d on; computing again", folder, index)
    manifest["shards"] = manifest["shards"][:index]
    write_atomically(folder / "manifest.json", json.dumps(manifest).encode())

"""The feature store: frozen features computed once, found by what decides them.

An entry is a folder named by the hash of its key. Rows lie in shards of raw values, each written
atomically; the manifest, rewritten after each shard, holds row counts and checksums, its own too.
A pass that was cut short goes on after its last whole shard, of which each takes well below a
minute to compute; a damaged shard is computed again.
"""

import logging
import math
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.cell import Unit, canonical, digest_of
from omnibench.errors import NumericError, StoreError, WeightsError
from omnibench.feature_manifest import is_whole, read_manifest, rows_in, write_manifest
from omnibench.feature_rows import FeatureRows
from omnibench.files import write_atomically
from omnibench.locks import locked
from omnibench.recipe import CARD, DRAW
from omnibench.views import CORRUPTED_VERSION

log = logging.getLogger("omnibench")

# Part of every key: raised when the code that makes features changes their values.
FEATURES_VERSION = 2
SHARD_BYTES = 64 * 2**20
SHARD_ROWS = 1024
SHARD_SECONDS = 30.0  # of computing: what a pass that is cut loses at most, roughly

# (first row, last row + 1) -> [rows, ...]: float32, float16, or bfloat16 bits as uint16
Compute = Callable[[int, int], NDArray[Any]]


@dataclass(frozen=True)
class FeatureKey:
    """Everything that decides a feature array.

    Attributes:
        sources: source digests of dataset and backbone.
        split: "test", or "test@gaussian-noise-3" of its corrupted images.
        kind: "embed", or "maps:thirds" (blocks at each third of a ViT, strides of a CNN).
        limit: how many images of the split are drawn; None for all.
        names: what dataset and backbone are called, for people; they decide nothing.
    """

    sources: Mapping[str, str]
    split: str
    input_size: int
    normalization: str
    precision: str
    kind: str
    limit: int | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The entry's name, 32 hex digits."""
        fields = {**vars(self), "sources": dict(self.sources), "version": FEATURES_VERSION}
        del fields["names"]
        if self.limit is not None:
            fields["draw"] = DRAW
        return digest_of(fields)[:32]


def feature_key(unit: Unit, split: str, kind: str, **sources: str) -> FeatureKey:
    """The key of a unit's features of one split; `sources` adds to the source digests."""
    recipe = unit.recipe
    if recipe.get("init") == "per-repetition":
        card = unit.backbone
        sources["draw"] = card.source if card.draw is None else f"{card.source}@{card.draw}"
    if recipe.get("pool", CARD) != CARD and kind == "embed":
        sources["pool"] = recipe["pool"]
    if recipe.get("window") is not None:
        sources["window"] = canonical(recipe["window"])
    # What else a unit is tested on decides nothing of these.
    own = {name: digest for name, digest in unit.sources.items() if "@" not in name}
    if "@" in split:  # corrupted images, by random numbers of this dataset
        sources["corrupted"] = f"{unit.dataset.id}@{CORRUPTED_VERSION}"
    return FeatureKey(
        sources={**own, **sources},
        split=split,
        input_size=recipe["input_size"],
        normalization=recipe["normalization"],
        precision=recipe["precision"],
        kind=kind,
        limit=recipe["limit"],
        names={"dataset": unit.dataset.id, "backbone": unit.backbone.id},
    )


class FeatureStore:
    """Feature arrays below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self, key: FeatureKey) -> FeatureRows | None:
        """Return a complete entry, every shard verified; None where rows must be computed."""
        folder = self.root / key.digest
        manifest = read_manifest(folder)
        if manifest is None or rows_in(manifest) != manifest["total"]:
            return None
        for index, shard in enumerate(manifest["shards"]):
            if not is_whole(folder, manifest, shard):
                _forget_from(folder, manifest, index)
                return None
        return FeatureRows.from_manifest(folder, manifest)

    def holds(self, key: FeatureKey) -> bool:
        """Whether an entry is complete, judged by its manifest alone."""
        manifest = read_manifest(self.root / key.digest)
        return manifest is not None and rows_in(manifest) == manifest["total"]

    def get(
        self,
        key: FeatureKey,
        total: int,
        facts: Callable[[], Mapping[str, Any]],
        compute: Compute,
        block: int,
        network: str | None = None,
    ) -> FeatureRows:
        """Return an entry of `total` rows, computing those that are absent.

        Args:
            network: digest of the tensors that were built, where a source digest does not tell
                them for certain: rows of other tensors are refused.
            facts: what to remember of the encoder (loaded digest, coverage); asked after the
                first rows were computed.
            compute: gives rows; called with starts that are multiples of `block`.
            block: rows a micro-batch, so that a resumed pass sees the same micro-batches.

        Raises:
            NumericError: a feature is not finite.
            StoreError: the disk is full.
            WeightsError: the rows that are there were made by another network.
        """
        entry, folder = self.open(key), self.root / key.digest
        if entry is None:
            folder.mkdir(parents=True, exist_ok=True)
            with locked(folder / ".lock"):
                entry = self.open(key)  # another process may have finished it meanwhile
                if entry is None:
                    self._complete(folder, key, total, facts, compute, block)
                    entry = self.open(key)
        if entry is None:
            raise StoreError(f"the features in {folder} were damaged while they were written")
        _hold_to(network, entry.facts, entry.shape[1:], folder)
        return entry

    def _complete(
        self,
        folder: Path,
        key: FeatureKey,
        total: int,
        facts: Callable[[], Mapping[str, Any]],
        compute: Compute,
        block: int,
    ) -> None:
        manifest = read_manifest(folder)
        if manifest is None or manifest["total"] != total:
            manifest = {"key": vars(key), "total": total, "shape": [], "dtype": ""}
            manifest |= {"shards": [], "facts": {}}
        start = rows_in(manifest)
        while start < total:
            began = time.perf_counter()
            stop = min(total, start + _shard_rows(manifest, block))
            rows = np.ascontiguousarray(compute(start, stop))
            if manifest["shards"]:
                _hold_to(facts().get("digest"), manifest["facts"], manifest["shape"], folder)
            check_finite(rows, start, key.split)
            content = rows.data.cast("B")
            name = f"{len(manifest['shards']):05d}.rows"
            write_atomically(folder / name, content)
            manifest["shape"], manifest["dtype"] = list(rows.shape[1:]), str(rows.dtype)
            manifest["shards"].append(
                {"file": name, "rows": len(rows), "crc32": zlib.crc32(content)}
            )
            manifest["facts"] = {
                **facts(),
                "seconds": manifest["facts"].get("seconds", 0.0) + time.perf_counter() - began,
            }
            write_manifest(folder, manifest)
            start = stop


def entries(root: Path) -> list[dict[str, Any]]:
    """Every entry's key, rows, bytes and time of writing, for `cache list`."""
    rows = []
    for folder in sorted(path for path in root.glob("[0-9a-f]" * 32) if path.is_dir()):
        manifest = read_manifest(folder)
        size = sum(path.stat().st_size for path in folder.glob("*") if path.is_file())
        rows.append(
            {
                "entry": folder.name,
                "complete": manifest is not None and rows_in(manifest) == manifest["total"],
                "rows": rows_in(manifest) if manifest else 0,
                "bytes": size,
                "key": manifest["key"] if manifest else {},
                "modified": folder.stat().st_mtime,
            }
        )
    return rows


def check_finite(rows: NDArray[Any], first: int, split: str) -> None:
    """Refuse features of which one is not finite.

    Args:
        first: index of the first of them in its split, for the message.

    Raises:
        NumericError: naming the image.
    """
    bits = rows.dtype == np.uint16  # of bfloat16: all exponent bits set means not finite
    finite = (rows & 0x7F80) != 0x7F80 if bits else np.isfinite(rows)
    if not finite.all():
        bad = first + int(np.flatnonzero(~finite.reshape(len(rows), -1).all(axis=1))[0])
        raise NumericError(
            f"the backbone gives a feature that is not finite for image {bad} of {split}; "
            "try recipe precision fp32"
        )


def _hold_to(
    network: str | None, facts: Mapping[str, Any], shape: Sequence[int], folder: Path
) -> None:
    """Refuse rows that another network made.

    Raises:
        WeightsError: naming both.
    """
    if network is not None and facts.get("digest") != network:
        raise WeightsError(
            f"the features in {folder} were made by other tensors ({facts.get('digest', '')[:15]}, "
            f"rows of shape {list(shape)}) than the backbone has now ({network[:15]}): a builder "
            "must build the same network each time, and one whose weights changed needs another "
            f"id; `bench.py cache prune {folder.name}` forgets those features"
        )


def _shard_rows(manifest: Mapping[str, Any], block: int) -> int:
    """Return the rows of the next shard: a multiple of `block`, one block where little fits.

    At most SHARD_ROWS, SHARD_BYTES and, by the seconds that the rows before took, SHARD_SECONDS;
    the first shard, before which nothing is known, is one micro-batch.
    """
    if not manifest["shards"]:
        return block
    row_bytes: int = math.prod(manifest["shape"]) * np.dtype(manifest["dtype"]).itemsize
    in_time = int(SHARD_SECONDS * rows_in(manifest) / max(manifest["facts"]["seconds"], 1e-9))
    rows = min(SHARD_ROWS, SHARD_BYTES // max(row_bytes, 1), in_time)
    return max(rows // block, 1) * block


def _forget_from(folder: Path, manifest: dict[str, Any], index: int) -> None:
    """Drop a damaged shard and those after it, so that the pass goes on from there."""
    log.warning("the features in %s are damaged from shard %d on; computing again", folder, index)
    manifest["shards"] = manifest["shards"][:index]
    write_manifest(folder, manifest)

"""The rows of a complete feature entry, read from its shards: all at once, or some by index."""

import bisect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.errors import StoreError


@dataclass(frozen=True)
class FeatureRows:
    """Rows [N, ...] that lie in shards whose checksums were verified.

    Attributes:
        shape: of the whole array, (N, ...).
        dtype: float32, float16, or uint16 for the bits of bfloat16.
        starts: the first row of each of `files`.
        facts: what is remembered of the encoder that made them.
    """

    files: tuple[Path, ...]
    starts: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    facts: Mapping[str, Any]

    @classmethod
    def from_manifest(cls, folder: Path, manifest: Mapping[str, Any]) -> "FeatureRows":
        """Return the rows of a manifest's entry."""
        shards = manifest["shards"]
        ends = np.cumsum([0, *(shard["rows"] for shard in shards)]).tolist()
        return cls(
            files=tuple(folder / shard["file"] for shard in shards),
            starts=tuple(ends[:-1]),
            shape=(ends[-1], *manifest["shape"]),
            dtype=np.dtype(manifest["dtype"]),
            facts=manifest["facts"],
        )

    def read_rows(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Return the rows at `indices`, in that order; plain reads into one array.

        Raises:
            StoreError: a shard is gone or was cut short meanwhile.
        """
        rows = np.empty((len(indices), *self.shape[1:]), self.dtype)
        stride = math.prod(self.shape[1:]) * self.dtype.itemsize
        for row, index in zip(rows, indices.tolist(), strict=True):
            shard = bisect.bisect_right(self.starts, index) - 1
            _read_at(self.files[shard], (index - self.starts[shard]) * stride, row)
        return rows

    def array(self) -> NDArray[Any]:
        """Return every row.

        Raises:
            StoreError: as `read_rows`.
        """
        rows = np.empty(self.shape, self.dtype)
        for file, start, stop in zip(
            self.files, self.starts, (*self.starts[1:], self.shape[0]), strict=True
        ):
            _read_at(file, 0, rows[start:stop])
        return rows


def as_float32(rows: NDArray[Any]) -> NDArray[np.float32]:
    """Return stored rows as float32; uint16 are the bits of bfloat16."""
    if rows.dtype == np.uint16:
        return (rows.astype(np.uint32) << 16).view(np.float32)
    return rows.astype(np.float32, copy=False)


def _read_at(path: Path, offset: int, out: NDArray[Any]) -> None:
    buffer = out.reshape(-1).view(np.uint8).data
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(offset)
            while buffer.nbytes:
                count = file.readinto(buffer)
                if not count:
                    raise EOFError("it ends too early")
                buffer = buffer[count:]
    except (OSError, EOFError) as error:
        raise StoreError(
            f"{path} cannot be read ({error}); give the same command again: it is rebuilt"
        ) from error

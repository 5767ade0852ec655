"""Images as plain uncompressed bytes on disk: written once as a stream, read in place.

A pack is a folder with `<name>.u8` for each array and `manifest.json`. It appears whole, by
renaming, or not at all.
"""

import hashlib
import json
import logging
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from omnibench.errors import DataError
from omnibench.files import sync_folder
from omnibench.locks import locked

SCHEMA = 1
log = logging.getLogger("omnibench")


@dataclass(frozen=True)
class Stream:
    """An array that arrives in pieces.

    Attributes:
        shape: of the whole array, (N, ...).
        chunks: starts a new pass over it: uint8 pieces [n, ...] in order, N rows in all.
    """

    shape: tuple[int, ...]
    chunks: Callable[[], Iterator[NDArray[np.uint8]]]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class PackedImages:
    """Images in one plain file: the C-order bytes of a uint8 array of this shape.

    Plain reads into one array are 15 x faster than fancy indexing of a memory map. The file is
    opened for each read (about 20 microseconds), so threads and processes share nothing.

    Attributes:
        path: the file.
        shape: (N, H, W) or (N, H, W, 3).
        checksum: "sha256:..." of the file, taken as it was written.
    """

    path: Path
    shape: tuple[int, ...]
    checksum: str

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return images start..stop-1; like a slice, at most those there are."""
        start, stop, _ = slice(start, stop).indices(self.shape[0])
        images = np.empty((max(0, stop - start), *self.shape[1:]), np.uint8)
        self._fill(images.reshape(1, -1), [start])
        return images

    def read_rows(self, indices: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the images of these indices (0..N-1), in their order."""
        if len(indices) and not 0 <= min(indices) <= max(indices) < self.shape[0]:
            raise IndexError(f"image indices must lie in 0..{self.shape[0] - 1}")
        images = np.empty((len(indices), *self.shape[1:]), np.uint8)
        self._fill(images, indices)
        return images

    def _fill(self, rows: NDArray[np.uint8], starts: Sequence[int] | NDArray[np.int64]) -> None:
        """Fill each row with the bytes that begin at the image of the same place in `starts`."""
        stride = math.prod(self.shape[1:])
        try:
            with self.path.open("rb", buffering=0) as file:
                for row, start in zip(rows, starts, strict=True):
                    file.seek(int(start) * stride)
                    _read_into(file.readinto, row.reshape(-1).data)
        except (OSError, EOFError) as error:
            raise DataError(
                f"{self.path} cannot be read ({error}); delete its folder and start again, "
                "it will be rebuilt"
            ) from error


def pack(folder: Path, streams: Mapping[str, Stream], source: str) -> dict[str, PackedImages]:
    """Return the pack in `folder`, writing it first where it is absent, damaged or another's.

    Args:
        folder: its parent holds other packs; concurrent callers wait for one writer.
        streams: array name -> what it is written from.
        source: what the arrays come from, for the manifest.

    Raises:
        DataError: there is no room or no right to write; or what a stream raises.
    """
    packed = _open(folder, streams)
    if packed is not None:
        return packed
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(folder.with_name(f".{folder.name}.lock")):
            return _open(folder, streams) or _write(folder, streams, source)
    except OSError as error:
        raise DataError(
            f"{source} cannot be unpacked into {folder} ({error.strerror or error}); it needs "
            f"{sum(stream.nbytes for stream in streams.values()) / 1e9:.1f} GB there: make room "
            "or name another folder with --data"
        ) from error


def place_of(data_dir: Path, checksum: str) -> Path:
    """Return the folder of the pack of what has this checksum, in hex."""
    return data_dir / "packed" / checksum[:16]


def outlined(folder: Path, streams: Mapping[str, Stream]) -> dict[str, PackedImages]:
    """Return the pack of a folder that need not be there, which has shapes but may not be read."""
    return {
        name: PackedImages(folder / f"{name}.u8", stream.shape, "")
        for name, stream in streams.items()
    }


def _open(folder: Path, streams: Mapping[str, Stream]) -> dict[str, PackedImages] | None:
    """Return the pack, or None unless its manifest and its files' sizes fit the streams."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if manifest["schema"] != SCHEMA:
            return None
        pack = {}
        for name, stream in streams.items():
            entry = manifest["arrays"][name]
            path = folder / f"{name}.u8"
            if tuple(entry["shape"]) != stream.shape or path.stat().st_size != stream.nbytes:
                return None
            pack[name] = PackedImages(path, stream.shape, str(entry["checksum"]))
        return pack
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _write(folder: Path, streams: Mapping[str, Stream], source: str) -> dict[str, PackedImages]:
    log.info("unpacking %s into %s, once", source, folder)
    for leftover in folder.parent.glob(f".{folder.name}.*.tmp"):  # of a process that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    temporary.mkdir()
    try:
        checksums = {
            name: _write_array(temporary / f"{name}.u8", stream) for name, stream in streams.items()
        }
        arrays = {
            name: {"shape": stream.shape, "checksum": checksums[name]}
            for name, stream in streams.items()
        }
        with (temporary / "manifest.json").open("w", encoding="utf-8") as file:
            json.dump({"schema": SCHEMA, "source": source, "arrays": arrays}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return {
        name: PackedImages(folder / f"{name}.u8", stream.shape, checksums[name])
        for name, stream in streams.items()
    }


def _write_array(path: Path, stream: Stream) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for chunk in stream.chunks():
            content = np.ascontiguousarray(chunk).data
            file.write(content)
            digest.update(content)
        file.flush()
        os.fsync(file.fileno())
    return f"sha256:{digest.hexdigest()}"


def _read_into(readinto: Callable[[memoryview], int | None], buffer: memoryview) -> None:
    """Fill the buffer: one call may give less (Linux stops at 2 GiB)."""
    while buffer.nbytes:
        count = readinto(buffer)
        if not count:
            raise EOFError("it ends too early")
        buffer = buffer[count:]

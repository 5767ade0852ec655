"""Records on disk: one JSON file a cell, written atomically, readable while others write."""

import contextlib
import errno
import io
import json
import logging
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from omnibench.cell import Cell
from omnibench.errors import RequestError, StoreError

SCHEMA = 1
KEYS = {
    *("schema", "digest", "spec", "status", "metrics", "cost", "environment", "digests"),
    *("pairing", "error", "started", "finished"),
}
SPEC_KEYS = {
    *("task", "dataset", "backbone", "adaptation", "options", "recipe", "decodings"),
    *("seed", "repetition"),
}
log = logging.getLogger("omnibench")


class RecordStore:
    """The records below one results folder."""

    def __init__(self, results: Path) -> None:
        self.root = results / "records"

    def path(self, cell: Cell) -> Path:
        """Where a cell's record is, or will be."""
        name = f"rep-{cell.repetition}-{cell.digest[:8]}.json"
        return self.root / cell.unit.name / name

    def read(self, cell: Cell) -> dict[str, Any] | None:
        """Return a cell's record; None where there is none or it cannot be used.

        A record cut short by a crash, or of another cell, is named in a warning and counts as
        missing, so that the cell is computed again.
        """
        path = self.path(cell)
        record = read_record(path)
        if record is not None and record["digest"] != cell.digest:
            log.warning("%s holds another cell's record; it will be computed again", path)
            return None
        if record is not None and record["status"] == "done" and not has_predictions(path):
            log.warning("the predictions of %s are absent; its cell counts as missing", path)
            return None
        return record

    def write(
        self,
        cell: Cell,
        record: Mapping[str, Any],
        predictions: Mapping[str, NDArray[Any]] | None = None,
        pictures: Mapping[str, bytes] | None = None,
    ) -> Path:
        """Write a cell's predictions and pictures, then its record, never there without them.

        Raises:
            StoreError: the disk is full or the folder not writable.
        """
        path = self.path(cell)
        if predictions is not None:
            buffer = io.BytesIO()
            np.savez_compressed(buffer, allow_pickle=False, **predictions)
            write_atomically(predictions_path(path), buffer.getvalue())
        for name, content in (pictures or {}).items():
            write_atomically(path.with_suffix(f".{name}.png"), content)
        text = json.dumps(record, indent=1, allow_nan=False)
        write_atomically(path, text.encode())
        return path

    def all(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Yield every readable record and its path, in a stable order."""
        for path in sorted(self.root.rglob("*.json")):
            record = read_record(path)
            if record is not None:
                yield path, record


def check_writable(folder: Path) -> None:
    """Create `folder` and write in it once.

    Raises:
        RequestError: that fails; nothing could be kept there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")
    except OSError as error:
        raise RequestError(
            f"the folder '{folder}' is not writable ({error.strerror}); choose another with "
            "--results or --data"
        ) from None


def predictions_path(record: Path) -> Path:
    """The arrays that belong to a record."""
    return record.with_suffix(".predictions.npz")


def has_predictions(record: Path) -> bool:
    """Whether a record's arrays or texts are there."""
    return any(record.with_suffix(f".predictions.{kind}").is_file() for kind in ("npz", "jsonl"))


def read_predictions(record: Path) -> dict[str, NDArray[Any]]:
    """Read the arrays beside a record, without pickles.

    Raises:
        StoreError: they are absent or damaged.
    """
    path = predictions_path(record)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Exception as error:  # zipfile, zlib and numpy each raise their own
        raise StoreError(
            f"the predictions {path} cannot be read ({type(error).__name__}); delete the record "
            "beside them and run its suite again"
        ) from error


def read_record(path: Path) -> dict[str, Any] | None:
    """Read one record; None where it is absent, or damaged, which is named in a warning."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        record = None
    if not (
        isinstance(record, dict)
        and record.keys() >= KEYS
        and record["schema"] == SCHEMA
        and isinstance(record["spec"], dict)
        and record["spec"].keys() >= SPEC_KEYS
    ):
        log.warning("the record %s is damaged; its cell counts as missing", path)
        return None
    return record


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Write beside `path`, sync, rename: readers see the old file, the new one, or none.

    Raises:
        StoreError: the disk is full, or the folder not writable.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            _write_synced(file, content)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
        raise StoreError(
            f"{path} could not be written: {reason}; make room or choose another folder, then "
            "give the same command again"
        ) from error


def _write_synced(file: IO[bytes], content: bytes | memoryview) -> None:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Checkpoints of one cell: the last ones, more than one in case the last is damaged.

Each ends in a line with the SHA-256 of what stands before it; without one it is not used.
"""

import hashlib
import logging
import pickle
import shutil
from pathlib import Path
from typing import IO, Any, cast

import torch

from omnibench.files import Check, being_written, open_regular, unchecked

CHUNK = 2**20
MARK = b"\nomnibench checkpoint "
HEAD = MARK + b"2 "  # raised when a state has other keys
LINE_BYTES = len(HEAD) + 2 * hashlib.sha256().digest_size
log = logging.getLogger("omnibench")


class Checkpoints:
    """A cell's folder of checkpoints, one file each, named by the steps made.

    Args:
        keep: how many of the last ones stay.
        check: called before each file appears; raises where the cell is another runner's by now.
    """

    def __init__(self, folder: Path, keep: int = 2, check: Check = unchecked) -> None:
        self.folder, self.keep, self.check = folder, keep, check

    @property
    def paths(self) -> list[Path]:
        """The files, the newest first."""
        return sorted(self.folder.glob("step-*.pt"), reverse=True)

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write a state of tensors, numbers and texts.

        Raises:
            LostLeaseError: the cell is another runner's by now; nothing is written or deleted.
            StoreError: the disk is full.
        """
        with being_written(self.folder / f"step-{step:09d}.pt", self.check) as file:
            hashed = _Hashed(file)
            try:
                torch.save(state, cast(IO[bytes], hashed))
            except RuntimeError as error:  # torch's own, after the file's
                raise error.__context__ or error from None
            file.write(HEAD + hashed.sum.hexdigest().encode())
        for path in self.paths[self.keep :]:
            path.unlink(missing_ok=True)

    def load(self) -> dict[str, Any] | None:
        """Return the newest whole state; None where there is none.

        One that is damaged, without a checksum, or of another version of omnibench is named in a
        warning and deleted, and the one before it is used.
        """
        for path in self.paths:
            try:
                complaint = _complaint(path)
                if not complaint:
                    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
                    return state
            except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
                log.debug("%s", error)
                complaint = "is damaged"
            log.warning("the checkpoint %s %s; the one before it is used", path, complaint)
            self.check()
            path.unlink(missing_ok=True)
        return None

    def remove(self) -> None:
        """Delete the folder: the cell's record is written."""
        shutil.rmtree(self.folder, ignore_errors=True)


class _Hashed:
    """A file that is written from its beginning to its end, and the sum of what was written."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.sum = file, hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.sum.update(content)
        return self.file.write(content)

    def flush(self) -> None:
        self.file.flush()


def _complaint(path: Path) -> str:
    """Return what is wrong with a checkpoint; "" where it ends in the checksum of its content."""
    left, content_sum = path.stat().st_size - LINE_BYTES, hashlib.sha256()
    with open_regular(path) as file:
        while left > 0 and (chunk := file.read(min(CHUNK, left))):
            content_sum.update(chunk)
            left -= len(chunk)
        line, digest = file.read(), content_sum.hexdigest().encode()
    if left == 0 and line == HEAD + digest:
        return ""
    of_another = left == 0 and line.startswith(MARK) and line.endswith(digest)
    return "is of another version of omnibench" if of_another else "is damaged"

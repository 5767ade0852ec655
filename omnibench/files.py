"""Files that appear whole or not at all."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from omnibench.errors import LinkError, StoreError


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Write beside `path`, sync, rename: readers see the old file, the new one, or none.

    Raises:
        StoreError: the disk is full, or the folder not writable.
    """
    with being_written(path) as file:
        _write(file, content)


@contextlib.contextmanager
def being_written(path: Path) -> Iterator[IO[bytes]]:
    """A file to write into that becomes `path` at the block's end, as `write_atomically` says.

    Raises:
        StoreError: the disk is full, or the folder not writable.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
        raise StoreError(
            f"{path} could not be written: {reason}; make room or choose another folder, then "
            "give the same command again"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _write(file: IO[bytes], content: bytes | memoryview) -> None:
    file.write(content)


def inside(path: Path, root: Path) -> Path:
    """Return `path`, which no link on its way leads out of `root`; `root` itself may be a link.

    Raises:
        LinkError: one does.
    """
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
        raise LinkError(
            f"{path} is a link that leads out of {root}, or lies behind one; remove that link "
            "and put what it names in its place"
        )
    return path


def plain(path: Path) -> Path:
    """Return `path`, which is not a link out of its folder; that it is no link costs one look.

    Raises:
        LinkError: it is.
    """
    return inside(path, path.parent) if path.is_symlink() else path


def sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Files that appear whole or not at all."""

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import IO

from omnibench.errors import LinkError, RequestError, StoreError
from omnibench.holder import Holder, mark_is_gone

# A file younger than this is read again next time: it could change once more without its times
# telling, so coarse are the clocks of file systems.
SETTLED_NS = 2_000_000_000
ABANDONED_SECONDS = 86_400.0  # until a temporary file of another machine counts as left behind
Check = Callable[[], None]


def unchecked() -> None:
    """Allow every write."""


def write_atomically(path: Path, content: bytes | memoryview, check: Check = unchecked) -> None:
    """Write beside `path`, sync, rename: readers see the old file, the new one, or none.

    Args:
        check: called right before the rename; what it raises leaves `path` as it was.

    Raises:
        StoreError: the disk is full, or the folder not writable.
    """
    with being_written(path, check) as file:
        _write(file, content)


@contextlib.contextmanager
def being_written(path: Path, check: Check = unchecked) -> Iterator[IO[bytes]]:
    """Yield a file that becomes `path` at the block's end, as `write_atomically` says.

    Raises:
        StoreError: the disk is full, or the folder not writable.
    """
    temporary = _temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        check()
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


def _temporary(path: Path) -> Path:
    mark = Holder.from_here().mark
    return path.with_name(f".{path.name}.{mark}-{secrets.token_hex(4)}.tmp")


def sweep(folder: Path) -> int:
    """Delete the temporary files below a folder that killed processes left; return how many.

    Those of this machine go when their process has ended, any other after a day.
    """
    count, now = 0, file_system_time(folder)
    for place, _, names in os.walk(folder):
        for name in names:
            if name.startswith(".") and name.endswith(".tmp"):
                with contextlib.suppress(OSError):
                    path = Path(place, name)
                    mark = name.removesuffix(".tmp").rpartition(".")[2].rpartition("-")[0]
                    if mark_is_gone(mark) or now - path.stat().st_mtime > ABANDONED_SECONDS:
                        path.unlink()
                        count += 1
    return count


def file_system_time(folder: Path) -> float:
    """Return the time by a folder's file system, whose clock is another's on a network."""
    probe = _temporary(folder / "clock")
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:  # a folder that may only be read
        return time.time()
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()


def stamp_of(status: os.stat_result, settled_ns: int) -> list[int] | None:
    """Return size, times and inode of a file; None where it is no plain one, or not settled.

    Anyone may set a file's mtime; its ctime is the file system's own.

    Args:
        settled_ns: when it must have changed for the last time, at the latest.
    """
    if status.st_ctime_ns >= settled_ns or not stat.S_ISREG(status.st_mode):
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


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


def expanded(path: Path | str) -> Path:
    """Return a path with `~` and `~user` written out.

    Raises:
        RequestError: there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise RequestError(f"the path '{path}' is of nobody known here ({error})") from None


def open_regular(path: Path) -> BufferedReader:
    """Open a file to read; a pipe or a device, which may never end, is refused.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        raise OSError(errno.EINVAL, f"it is {kind}, not a file")
    return path.open("rb")


def read_regular(path: Path) -> bytes:
    """Return a file's bytes, as `open_regular` opens it."""
    with open_regular(path) as file:
        return file.read()


def sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

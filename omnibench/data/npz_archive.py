"""Arrays inside an npz file, read one by one and piece by piece; pickles are never opened."""

import contextlib
import lzma
import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from omnibench.errors import DataError
from omnibench.files import open_regular

CHUNK_BYTES = 4 << 20
# What zipfile, its decompressors and numpy's header reader raise for damaged bytes.
DAMAGE = (
    OSError,
    EOFError,
    SyntaxError,  # of a header, which is read as Python
    tokenize.TokenError,
    RecursionError,
    OverflowError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    MemoryError,  # an array of many zeros is a small file
)


@dataclass(frozen=True)
class Member:
    """What an array's header says of it."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


class Archive:
    """An open npz file.

    Raises:
        DataError: the file is absent, no npz, or cut short; every later read raises it for an
            array that is damaged or holds pickled objects.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = open_regular(path)
        except FileNotFoundError:
            raise DataError(
                f"{path} does not exist; put the file there or correct its path"
            ) from None
        except OSError as error:
            raise DataError(f"{path} cannot be opened ({error.strerror})") from None
        try:
            self._zip = zipfile.ZipFile(self._file)
        except DAMAGE as error:
            self._file.close()
            raise DataError(
                f"{path} is no npz file or is cut short ({error}); copy it again or write it with "
                "numpy.savez_compressed"
            ) from error
        self._names = set(self._zip.namelist())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()
        self._file.close()

    def member(self, name: str) -> Member | None:
        """Return what the header of the array `name` says, or None where there is no such array."""
        if f"{name}.npy" not in self._names:
            return None
        with self._opened(name) as (member, _):
            return member

    def members(self, prefix: str) -> dict[str, Member]:
        """Return what the headers of the arrays say whose names start so, by the names' rest."""
        names = sorted(name.removesuffix(".npy") for name in self._names if name.endswith(".npy"))
        members = {name: self.member(name) for name in names if name.startswith(prefix)}
        return {n.removeprefix(prefix): member for n, member in members.items() if member}

    def array(self, name: str) -> NDArray[Any]:
        """Return the whole array."""
        with self._opened(name) as (member, stream):
            flat = np.empty(math.prod(member.shape), member.dtype)
            _fill(stream, flat)
            return flat.reshape(member.shape, order="F" if member.fortran else "C")

    def chunks(self, name: str) -> Iterator[NDArray[Any]]:
        """Yield the array's rows in order, a few MB at a time.

        An array in Fortran order, whose rows do not lie together, is read whole.
        """
        member = self.member(name)
        if member is None:
            raise DataError(f"{self.path} has no array {name}")
        count = member.shape[0]
        rows = max(1, CHUNK_BYTES * count // max(1, member.nbytes))
        if member.fortran:
            whole = self.array(name)
            for start in range(0, count, rows):
                yield np.ascontiguousarray(whole[start : start + rows])
            return
        with self._opened(name) as (_, stream):
            for start in range(0, count, rows):
                chunk = np.empty((min(rows, count - start), *member.shape[1:]), member.dtype)
                _fill(stream, chunk)
                yield chunk

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[tuple[Member, IO[bytes]]]:
        try:
            info = self._zip.getinfo(f"{name}.npy")
            with self._zip.open(info) as stream:
                member = _header(name, stream)
                if member.dtype.hasobject:
                    raise DataError(
                        f"{self.path}: {name} holds pickled Python objects, which are never "
                        "opened; save plain numbers or strings instead"
                    )
                if info.file_size - stream.tell() != member.nbytes:
                    raise EOFError("its size is not what its header says")
                yield member, stream
        except DAMAGE as error:
            raise DataError(
                f"{self.path}: {name} is damaged or cut short ({error}); copy the file again"
            ) from error


def _header(name: str, stream: IO[bytes]) -> Member:
    version = npy.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = npy.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran, dtype = npy.read_array_header_2_0(stream)
    else:
        raise ValueError(f"npy format {version} is not read here")
    if any(length < 0 for length in shape):
        raise ValueError("its header gives a length below 0")
    if dtype.kind == "V":
        raise ValueError("it holds records, where plain numbers or texts are read")
    return Member(name, shape, dtype, fortran)


def _fill(stream: IO[bytes], array: NDArray[Any]) -> None:
    """Fill a C-contiguous array from the stream; zipfile checks the CRC with the last byte."""
    buffer = array.reshape(-1).view(np.uint8).data
    while buffer.nbytes:
        piece = stream.read(min(buffer.nbytes, CHUNK_BYTES))
        if not piece:
            raise EOFError("it ends too early")
        buffer[: len(piece)] = piece
        buffer = buffer[len(piece) :]

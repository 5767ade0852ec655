"""The archive that holds a bundle: a zip file of plain members, not compressed.

Equal contents make equal bytes, and a member is never larger than the archive: nothing is packed
that could unpack to more.
"""

import hashlib
import json
import re
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from omnibench.errors import RequestError
from omnibench.files import being_written, open_regular

MANIFEST = "manifest.json"
FORMAT = 1
LONGEST_JSON = 64 * 2**20  # bytes of a manifest, a record or a suite; none has a hundredth of it
LONGEST_NAME = 200  # bytes, so that a temporary file's name beside it fits too
UNSAFE = frozenset('\\:*?"<>|')  # to Windows, or a shell
CHUNK_BYTES = 4 << 20
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first that a zip file knows: no date is told
MODE = (stat.S_IFREG | 0o644) << 16
CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}")
# What zipfile raises for damaged bytes.
DAMAGE = (OSError, EOFError, ValueError, OverflowError, RuntimeError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Manifest:
    """What an archive says of itself.

    Attributes:
        omnibench: the version that packed it.
        suite: its name.
        files: name of each member -> its checksum.
    """

    omnibench: str
    suite: str
    files: Mapping[str, str]

    def as_bytes(self) -> bytes:
        """Return its file."""
        content = {"format": FORMAT, **vars(self), "files": dict(sorted(self.files.items()))}
        return (json.dumps(content, indent=1) + "\n").encode()


def write_archive(path: Path, manifest: Manifest, contents: Mapping[str, bytes | Path]) -> None:
    """Write an archive, at once or not at all.

    Args:
        contents: name -> content, or the file that holds it, of every member of the manifest.

    Raises:
        StoreError: it cannot be written.
    """
    with being_written(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, MANIFEST, manifest.as_bytes())
        for name in sorted(contents):
            _add(archive, name, contents[name])


def _add(archive: zipfile.ZipFile, name: str, content: bytes | Path) -> None:
    info = zipfile.ZipInfo(name, EPOCH)
    info.create_system, info.external_attr = 3, MODE  # of Unix, wherever it is written
    info.file_size = len(content) if isinstance(content, bytes) else content.stat().st_size
    with archive.open(info, "w") as member:
        if isinstance(content, bytes):
            member.write(content)
            return
        with open_regular(content) as file:
            while chunk := file.read(CHUNK_BYTES):
                member.write(chunk)


class Archive:
    """An open bundle whose members are all plain files with safe names, as its manifest has them.

    Attributes:
        manifest: what it says of itself.
    """

    def __init__(self, path: Path, file: zipfile.ZipFile, size: int) -> None:
        self.path = path
        self._file = file
        self._members: dict[str, zipfile.ZipInfo] = {}
        for info in file.infolist():
            self._members[self._checked(info)] = info
        if len(self._members) < len(file.infolist()):
            raise self._refusal("has two members of one name")
        if sum(info.file_size for info in self._members.values()) > size:
            raise self._refusal("has members that are larger than the file itself")
        self.manifest = self._read_manifest()

    @contextmanager
    def opened(self, name: str) -> Iterator[IO[bytes]]:
        """Yield a member to read.

        Raises:
            RequestError: it is absent, or damaged.
        """
        if name not in self._members:
            raise self._refusal(f"lacks {name}")
        try:
            with self._file.open(self._members[name]) as member:
                yield member
        except DAMAGE as error:
            raise self._refusal(f"is damaged in {name} ({error})") from error

    def verify(self) -> None:
        """Hold every member to its checksum.

        Raises:
            RequestError: one is not as it was packed.
        """
        for name, expected in self.manifest.files.items():
            with self.opened(name) as member:
                digest = hashlib.file_digest(member, "sha256").hexdigest()  # type: ignore[arg-type]
            if expected != f"sha256:{digest}":
                raise self._refusal(f"is damaged in {name}, which has another checksum")

    def read(self, name: str) -> bytes:
        """Return the content of a small member.

        Raises:
            RequestError: it is absent, damaged, or too large for what it should be.
        """
        with self.opened(name) as member:
            content = member.read(LONGEST_JSON + 1)
        if len(content) > LONGEST_JSON:
            raise self._refusal(f"has more in {name} than belongs there")
        return content

    def _checked(self, info: zipfile.ZipInfo) -> str:
        """Return the name of a member that is plain, in every sense."""
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) or info.filename.endswith("/"):
            raise self._refusal(f"holds '{info.filename}', which is no plain file")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise self._refusal(f"holds '{info.filename}' compressed or encrypted")
        if info.orig_filename != info.filename or not is_safe(info.filename):
            raise self._refusal(f"holds '{info.orig_filename}', which leads elsewhere")
        return info.filename

    def _read_manifest(self) -> Manifest:
        try:
            content: Any = json.loads(self.read(MANIFEST))
            if content["format"] > FORMAT:
                raise self._refusal(
                    f"has format {content['format']}, and this omnibench knows {FORMAT}; use the "
                    f"omnibench that packed it ({content['omnibench']:.40})"
                )
            manifest = Manifest(content["omnibench"], content["suite"], content["files"])
            texts = [manifest.omnibench, manifest.suite, *manifest.files, *manifest.files.values()]
            if not all(isinstance(text, str) for text in texts):
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise self._refusal(f"has a {MANIFEST} that cannot be read") from error
        if not all(map(CHECKSUM.fullmatch, manifest.files.values())):
            raise self._refusal(f"has a {MANIFEST} that cannot be read")
        if manifest.files.keys() != self._members.keys() - {MANIFEST}:
            odd = min(manifest.files.keys() ^ (self._members.keys() - {MANIFEST}))
            raise self._refusal(f"holds other files than its {MANIFEST} names, such as '{odd}'")
        return manifest

    def _refusal(self, what: str) -> RequestError:
        return RequestError(f"{self.path} {what}; nothing of it was taken in: ask for it again")


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Yield the bundle that a file is.

    Raises:
        RequestError: it is absent, none, or holds what no bundle holds.
    """
    try:
        file = open_regular(path)
    except OSError as error:
        raise RequestError(f"{path} cannot be read ({error.strerror})") from error
    with file:
        try:
            archive = zipfile.ZipFile(file)
        except DAMAGE as error:
            raise RequestError(
                f"{path} is no bundle, or is cut short; give a file that `bundle` wrote"
            ) from error
        with archive:
            yield Archive(path, archive, path.stat().st_size)


def is_safe(name: str) -> bool:
    """Return whether a member's name leads to a visible file below where it is taken in."""
    return name.isprintable() and all(map(_is_safe_part, name.split("/")))


def _is_safe_part(part: str) -> bool:
    fits = 0 < len(part.encode()) <= LONGEST_NAME
    return fits and not part.startswith((".", "~")) and UNSAFE.isdisjoint(part)

"""The DICOM files below a folder, their headers read once.

What is remembered below the data folder holds salted hashes for identifiers.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, AllTransferSyntaxes

from omnibench.data.checksums import remembered, sha256_of_folder
from omnibench.data.dicom.headers import Frame, Header, Refusal, header_of
from omnibench.data.dicom.pixels import read_values
from omnibench.errors import DataError

RULES = "DICOM headers 2"  # raised when a header is read otherwise
MOST_DECODED = 500_000_000  # compressed pixels that are decoded for a trial, once: seconds


class Files(NamedTuple):
    """What lies below a folder.

    Attributes:
        salt: of the hashes that stand for identifiers.
    """

    salt: str
    headers: list[Header]
    refusals: list[Refusal]


def files_of(root: Path, names: Iterable[str], series: Mapping[str, str], data_dir: Path) -> Files:
    """Return the headers of a folder's files, and what of these is not used.

    Args:
        names: of the files, from the folder on.
        series: as of `header_of`.

    Raises:
        DataError: a file cannot be read at all.
    """
    names = sorted(names)
    salt = sha256_of_folder(root, names, data_dir)
    declared = hashlib.sha256(json.dumps(dict(series)).encode()).hexdigest()
    question = f"{RULES} of {salt}, series {declared}, decoders {_decoders()}"
    rows = remembered(data_dir, question, lambda: _read(root, names, salt, series))
    headers = [_header(row) for row in rows["headers"]]
    return Files(salt, headers, [Refusal(*row) for row in rows["refusals"]])


def _read(root: Path, names: list[str], salt: str, series: Mapping[str, str]) -> dict[str, Any]:
    entries = [header_of(root, name, salt, series) for name in names]
    headers = [entry for entry in entries if isinstance(entry, Header)]
    refusals = [entry for entry in entries if isinstance(entry, Refusal)]
    compressed = [header for header in headers if UID(header.syntax).is_compressed]
    is_small = sum(len(h.frames) * math.prod(h.shape) for h in compressed) <= MOST_DECODED
    decoded: set[tuple[str, str]] = set()
    usable = []
    for header in headers:
        # Plain pixels are decoded for a trial, which costs less than their header; so are all of
        # few compressed ones, else one slice of each syntax of a series, to learn whether anything
        # here can.
        key, frames = (header.series, header.syntax), range(1)
        if UID(header.syntax).is_compressed:
            frames = range(len(header.frames)) if is_small else range(int(key not in decoded))
        decoded.add(key)
        if refusal := _undecodable(root, header, frames):
            refusals.append(refusal)
        else:
            usable.append(header)
    return {"headers": usable, "refusals": refusals}


def _undecodable(root: Path, header: Header, frames: Iterable[int]) -> Refusal | None:
    """Return why a file is not used of which one of these frames cannot be decoded."""
    try:
        for frame in frames:
            read_values(root, header.file, frame, header.syntax)
    except DataError as error:
        reason = str(error).removeprefix(f"{header.file} ")
        return Refusal(header.file, header.study, "damaged", reason)
    return None


def _decoders() -> list[str]:
    """Return what can decode pixels here, so that what was refused is asked anew with more."""
    plugins: set[str] = set()
    for syntax in AllTransferSyntaxes:
        try:
            plugins.update(get_decoder(syntax).available_plugins)
        except NotImplementedError:
            continue
    return sorted(plugins)


def _header(row: list[Any]) -> Header:
    header = Header(*row)
    height, width = header.shape
    frames = tuple(Frame(*(_as_read(value) for value in frame)) for frame in header.frames)
    return header._replace(shape=(height, width), frames=frames)


def _as_read(value: Any) -> Any:
    """Return a value of a frame as it was before JSON, which knows no tuples."""
    return tuple(value) if isinstance(value, list) else value

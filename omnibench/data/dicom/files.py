"""The DICOM files below a folder, their headers read once.

What is remembered below the data folder holds salted hashes for identifiers.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, AllTransferSyntaxes

from omnibench.data.checksums import remembered, sha256_of_folder
from omnibench.data.dicom.headers import Frame, Header, Refusal, header_of
from omnibench.data.dicom.pixels import read_values
from omnibench.errors import DataError

RULES = "DICOM headers 1"  # raised when a header is read otherwise


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
    headers: list[Header] = []
    refusals: list[Refusal] = []
    decoded: set[tuple[str, str]] = set()
    for name in names:
        entry = header_of(root, name, salt, series)
        if isinstance(entry, Header):
            # Plain pixels are decoded for a trial, which costs less than their header; of each
            # compressed series one slice, to learn now whether anything here can.
            key = (entry.series, entry.syntax)
            if not UID(entry.syntax).is_compressed or key not in decoded:
                decoded.add(key)
                entry = _decodable(root, entry)
        if isinstance(entry, Header):
            headers.append(entry)
        else:
            refusals.append(entry)
    return {"headers": headers, "refusals": refusals}


def _decodable(root: Path, header: Header) -> Header | Refusal:
    try:
        read_values(root, header.file, 0, header.syntax)
    except DataError as error:
        reason = str(error).removeprefix(f"{header.file} ")
        return Refusal(header.file, header.study, "damaged", reason)
    return header


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

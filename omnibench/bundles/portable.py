"""A record as it leaves the machine: without patients' ids, paths, and names of image files.

Numbers are as they were. Ids of patients become numbers in the same order, so that every statistic
over patients is the same in every bit.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from omnibench.record import as_bytes, checksum
from omnibench.record_files import (
    PREDICTIONS,
    packed,
    read_predictions,
    tells_patients,
    without_ids,
)

# Where a path with folders begins: at a word's begin, not within hf_hub:a/b or a web address.
_WORD = r"(?<=[\s'\"(\[{<=,])|^"
_BEGIN = (
    rf"(?:(?:{_WORD}|(?<=:)|(?<=file://))(?:~[\w.-]*/|/(?!/)(?=\S)|[A-Za-z]:[\\/]|\\\\)"
    rf"|(?:{_WORD})//(?=\S))"
)
# A folder's name may hold blanks: the path goes on to the clause's last slash, and the word there.
_PATH = re.compile(rf"{_BEGIN}(?:[^;,()'\"\n]*[/\\])?[^\s;,()'\"]*")
_IMAGE = re.compile(
    r"[^\s'\"(,;=]+\.(?:png|jpe?g|dcm|dicom|nii(?:\.gz)?|tiff?|bmp|webp|gif|pgm|ppm|mha|nrrd)\b",
    re.IGNORECASE,
)
_EXAMPLES = re.compile(r", such as .*", re.DOTALL)  # a survey names images and patients there


@dataclass(frozen=True)
class Portable:
    """A record that names nobody.

    Attributes:
        content: its file.
        files: ending -> content of what lies beside it, or the path where that is unchanged.
    """

    content: bytes
    files: Mapping[str, bytes | Path]


def portable(path: Path, record: Mapping[str, Any]) -> Portable:
    """Return a whole record and what lies beside it without what tells persons or machines.

    Made of a portable record it is that record again.

    Raises:
        StoreError: its predictions cannot be read.
    """
    files: dict[str, bytes | Path] = {}
    checksums = dict(record["files"])
    for ending in record["files"]:
        files[ending] = path.with_suffix(f".{ending}")
        if ending in PREDICTIONS and (content := _without_ids(path)) is not None:
            files[ending], checksums[ending] = content, checksum(content)
    parts = {name: _without_names(record[name]) for name in ("notes", "environment")}
    error = record["error"]
    if error is not None:
        parts["error"] = {**_without_names(error), "traceback": ""}
    return Portable(as_bytes({**record, **parts, "files": checksums}), files)


def without_paths(text: str) -> str:
    """Return a text in which no path of a machine and no name of an image stands."""
    return _IMAGE.sub("(an image)", _PATH.sub("(a path)", text))


def _without_names(value: Any) -> Any:
    """Return plain values whose texts name no path, no image and no example of a patient."""
    if isinstance(value, str):
        return without_paths(_EXAMPLES.sub("", value))
    if isinstance(value, dict):
        return {key: _without_names(inner) for key, inner in value.items()}
    return [_without_names(inner) for inner in value] if isinstance(value, list) else value


def _without_ids(record: Path) -> bytes | None:
    """Return the file of predictions with numbers for patients; None where it holds no ids."""
    arrays = read_predictions(record)
    numbered = without_ids(arrays)
    if all(
        np.array_equal(arrays[name], array)
        for name, array in numbered.items()
        if tells_patients(name)
    ):
        return None
    arrays = numbered
    if any(array.dtype == object for array in arrays.values()):
        (content,) = packed(arrays).values()
        return content
    buffer = io.BytesIO()
    # Not compressed, which another version of zlib would do to other bytes.
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()

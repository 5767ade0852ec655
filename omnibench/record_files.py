"""What lies beside a record: predictions, pictures, weights, each file held to its checksum.

Predictions are arrays in an npz, or texts with a JSON line a case.
"""

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.errors import StoreError
from omnibench.files import open_regular, plain, read_regular

GROUP = "_group"  # how the names of arrays end, before their view, that tell patients apart
EVALUATIONS = "epochs.jsonl"  # of a training: what its validations said, a line each
WEIGHTS = "weights.safetensors"  # what was trained, where a suite says `keep: weights`
PREDICTIONS = ("predictions.jsonl", "predictions.npz")  # of texts, of arrays


def complaint_about(path: Path, record: Mapping[str, Any]) -> str:
    """Return what is wrong with the files of a record; "" where all are as they were written.

    Reads them whole. A record of schema 1 has no checksums: its predictions are there or not.

    Raises:
        LinkError: one of them is a link out of its folder.
    """
    files: Mapping[str, str] = record["files"]
    if record["status"] == "done" and files.keys().isdisjoint(PREDICTIONS):
        beside = [path.with_suffix(f".{ending}") for ending in PREDICTIONS]
        if record["schema"] > 1 or not any(file.is_file() for file in beside):
            return f"the predictions of {path} are absent"
    complaints = (_complaint(path.with_suffix(f".{name}"), text) for name, text in files.items())
    return next(filter(None, complaints), "")


def checked_file(path: Path, record: Mapping[str, Any], ending: str) -> Path:
    """Return the file beside a record that has this ending, after reading it for its checksum.

    Raises:
        LinkError: it is a link out of its folder.
        StoreError: it is absent, or not as it was written.
    """
    file = path.with_suffix(f".{ending}")
    if complaint := _complaint(file, record["files"].get(ending)):
        raise StoreError(f"{complaint}; run the suite that made it again")
    return file


def _complaint(file: Path, expected: str | None) -> str:
    """Return what is wrong with a file, "" where nothing is.

    Args:
        expected: its checksum; None where it never had one.
    """
    try:
        with open_regular(plain(file)) as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except FileNotFoundError:
        return f"{file} is absent"
    except OSError as error:
        return f"{file} cannot be read ({error.strerror})"
    if expected in (None, f"sha256:{digest}"):
        return ""
    # What remembers files by their times shall look at this one again.
    with contextlib.suppress(OSError):
        os.utime(file)
    return f"{file} is damaged: it is not as it was written"


def predictions_path(record: Path) -> Path:
    """Return where a record's predictions lie: its texts where there are some, else its arrays."""
    texts, arrays = (record.with_suffix(f".{ending}") for ending in PREDICTIONS)
    return texts if texts.is_file() else arrays


def packed(predictions: Mapping[str, NDArray[Any]]) -> dict[str, bytes]:
    """Return the file of predictions as {ending: content}; arrays of objects hold texts.

    What tells patients apart are numbers there, whatever their ids are.
    """
    predictions = without_ids(predictions)
    if any(array.dtype == object for array in predictions.values()):
        columns = [array.tolist() for array in predictions.values()]
        lines = [
            json.dumps(dict(zip(predictions, row, strict=True)), ensure_ascii=False)
            for row in zip(*columns, strict=True)
        ]
        return {"predictions.jsonl": "".join(f"{line}\n" for line in lines).encode()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **predictions)
    return {"predictions.npz": buffer.getvalue()}


def without_ids(predictions: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return predictions with numbers for patients, equal and sorted as their ids are."""
    return {
        name: _numbers(array) if tells_patients(name) else array
        for name, array in predictions.items()
    }


def tells_patients(name: str) -> bool:
    """Return whether an array of this name tells patients apart: `test_group`, of any view."""
    return name.partition("@")[0].endswith(GROUP)


def _numbers(ids: NDArray[Any]) -> NDArray[Any]:
    """Return texts of digits that are equal and sorted as the ids are."""
    values, codes = np.unique(ids.astype(str) if ids.dtype == object else ids, return_inverse=True)
    digits = len(str(len(values)))
    texts = np.array([f"{code:0{digits}d}" for code in codes], np.str_)
    return texts.astype(object) if ids.dtype == object else texts


def read_predictions(record: Path) -> dict[str, NDArray[Any]]:
    """Read what lies beside a record, without pickles; `complaint_about` tells whether it is whole.

    Raises:
        StoreError: it is absent or damaged, or a link out of its folder.
    """
    path = plain(predictions_path(record))
    try:
        content = read_regular(path)
        if path.suffix == ".jsonl":
            return _from_lines(content.decode())
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Exception as error:  # zipfile, zlib, json and numpy each raise their own
        raise StoreError(
            f"the predictions {path} cannot be read ({type(error).__name__}); delete the record "
            "beside them and run its suite again"
        ) from error


def _from_lines(content: str) -> dict[str, NDArray[Any]]:
    rows = [json.loads(line) for line in content.split("\n") if line]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return {
        name: np.array(values, object if isinstance(values[0], str) else None)
        for name, values in columns.items()
    }

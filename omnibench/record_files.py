"""What lies beside a record (predictions, pictures, weights), each file held to its checksum."""

import contextlib
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnibench.errors import StoreError
from omnibench.files import open_regular, plain

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
    """Hold a file to its checksum; None where it never had one."""
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

"""Answers about a dataset's content, worked out once and kept below the data folder.

A file is one JSON answer, with a checksum that covers its question too; losing or damaging it
costs a new computation.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omnibench.errors import StoreError
from omnibench.files import read_regular, write_atomically


def remembered(data_dir: Path, question: str, compute: Callable[[], Any]) -> Any:
    """Return the JSON value that answers a question, computed where it is not known.

    Args:
        question: everything that decides the answer, the source digest and the rules' version too.
    """
    name = hashlib.sha256(question.encode()).hexdigest()[:32]
    path = data_dir / "surveys" / f"{name}.json"
    try:
        entry = json.loads(read_regular(path))
        if entry["checksum"] == _checksum(question, entry["answer"]):
            return entry["answer"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        pass
    answer = json.loads(json.dumps(compute()))  # as it is read again
    with contextlib.suppress(StoreError):  # a folder that takes no file costs only time
        content = {"question": question, "answer": answer, "checksum": _checksum(question, answer)}
        write_atomically(path, json.dumps(content).encode())
    return answer


def _checksum(question: str, answer: Any) -> str:
    return hashlib.sha256(json.dumps([question, answer], sort_keys=True).encode()).hexdigest()

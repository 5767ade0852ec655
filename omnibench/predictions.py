"""What a cell predicted, beside its record: arrays in an npz, or texts with a JSON line a case."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.errors import StoreError
from omnibench.files import plain, read_regular
from omnibench.record_files import PREDICTIONS


def predictions_path(record: Path) -> Path:
    """Return where a record's predictions lie: its texts where there are some, else its arrays."""
    texts, arrays = (record.with_suffix(f".{ending}") for ending in PREDICTIONS)
    return texts if texts.is_file() else arrays


def packed(predictions: Mapping[str, NDArray[Any]]) -> dict[str, bytes]:
    """Return the file's content by its ending; arrays of objects hold texts: JSON lines."""
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

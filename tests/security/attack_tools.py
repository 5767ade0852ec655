"""A pickle that runs code, and a record that no training made."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from omnibench.cell import Cell
from omnibench.record import blank
from omnibench.scoring import score


class Bomb:
    """An object whose unpickling makes a folder."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.makedirs, (str(self.marker),)


def done(cell: Cell) -> tuple[dict[str, Any], dict[str, Any]]:
    """A record of two classes told apart by half, and its predictions."""
    rng = np.random.default_rng(cell.repetition)
    labels = np.arange(12) % 2
    predictions: Any = {
        "test_logits": rng.normal(size=(12, 2)).astype(np.float32),
        "test_labels": labels,
        "test_case": np.arange(12),
    }
    record = {
        **blank(cell),
        **{"status": "done", "digests": {}},
        "environment": {"python": "3", "platform": "x", "device": "cpu", "threads": 1}
        | {"packages": {}},
        **{"started": "2026-01-01T00:00:00", "finished": "2026-01-01T00:00:01"},
        "metrics": score("classification", predictions),
        "cost": {"wall_s": 1.0, "trainable_parameters": 1, "total_parameters": 2},
    }
    return record, predictions

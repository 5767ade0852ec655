"""Checkpoints of one cell: the last epoch and the one before it, in case the last was cut short."""

import io
import logging
import pickle
import shutil
from pathlib import Path
from typing import Any

import torch

from omnibench.files import write_atomically

log = logging.getLogger("omnibench")


class Checkpoints:
    """A cell's folder of checkpoints."""

    def __init__(self, folder: Path) -> None:
        self.last = folder / "last.pt"
        self.previous = folder / "previous.pt"

    def save(self, state: dict[str, Any]) -> None:
        """Write a state of tensors, numbers and texts; the last one becomes the previous.

        Raises:
            StoreError: the disk is full.
        """
        buffer = io.BytesIO()
        torch.save(state, buffer)
        if self.last.exists():
            self.last.replace(self.previous)
        write_atomically(self.last, buffer.getvalue())

    def load(self) -> dict[str, Any] | None:
        """Return the newest whole state; None where there is none.

        One that was cut short is named in a warning and the previous one is used.
        """
        for path in (self.last, self.previous):
            if not path.exists():
                continue
            try:
                state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
                return state
            except (RuntimeError, EOFError, OSError, pickle.UnpicklingError):
                log.warning("the checkpoint %s is damaged; the one before it is used", path)
        return None

    def remove(self) -> None:
        """Delete the folder: the cell's record is written."""
        shutil.rmtree(self.last.parent, ignore_errors=True)

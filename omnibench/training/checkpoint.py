"""Checkpoints of one cell: the last ones, more than one in case the last was cut short."""

import logging
import pickle
import shutil
from pathlib import Path
from typing import Any

import torch

from omnibench.files import being_written

log = logging.getLogger("omnibench")


class Checkpoints:
    """A cell's folder of checkpoints, one file each, named by the steps made.

    Args:
        keep: how many of the last ones stay.
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder, self.keep = folder, keep

    @property
    def paths(self) -> list[Path]:
        """The files, the newest first."""
        return sorted(self.folder.glob("step-*.pt"), reverse=True)

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write a state of tensors, numbers and texts.

        Raises:
            StoreError: the disk is full.
        """
        with being_written(self.folder / f"step-{step:09d}.pt") as file:
            try:
                torch.save(state, file)
            except RuntimeError as error:  # torch's own, after the file's
                raise error.__context__ or error from None
        for path in self.paths[self.keep :]:
            path.unlink()

    def load(self) -> dict[str, Any] | None:
        """Return the newest whole state; None where there is none.

        One that was cut short is named in a warning and the one before it is used.
        """
        for path in self.paths:
            try:
                state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
                return state
            except (RuntimeError, EOFError, OSError, pickle.UnpicklingError):
                log.warning("the checkpoint %s is damaged; the one before it is used", path)
        return None

    def remove(self) -> None:
        """Delete the folder: the cell's record is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

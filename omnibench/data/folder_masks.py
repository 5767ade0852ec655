"""Masks of a folder, decoded by Pillow when they are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from omnibench.data.folder_images import DAMAGE, header, unreadable
from omnibench.errors import DataError

MODES = ("1", "L", "P")


@dataclass(frozen=True)
class FolderMasks:
    """Masks brought to one size: one of another is resized to its nearest values.

    A palette image gives its palette's indices, a black and white one 0 and 1.

    Attributes:
        root: the folder that `files` are named from.
        shape: (N, H, W).
    """

    root: Path
    files: tuple[str, ...]
    shape: tuple[int, int, int]

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Decode masks start..stop-1; like a slice, at most those there are.

        Raises:
            DataError: a mask is damaged.
        """
        return self._decoded(self.files[start:stop])

    def read_rows(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Decode the masks at `indices`, in that order.

        Raises:
            DataError: a mask is damaged.
        """
        return self._decoded([self.files[index] for index in indices])

    def _decoded(self, files: Sequence[str]) -> NDArray[np.uint8]:
        _, height, width = self.shape
        masks = np.empty((len(files), height, width), np.uint8)
        for mask, name in zip(masks, files, strict=True):
            path = self.root / name
            try:
                with Image.open(path) as opened:
                    opened.load()
                    if opened.size == (width, height):
                        mask[:] = np.asarray(opened)
                    else:
                        mask[:] = np.asarray(
                            opened.resize((width, height), Image.Resampling.NEAREST)
                        )
            except DAMAGE as error:
                raise unreadable(path, error) from error
        return masks


def check_mask(image: Path, mask: Path) -> None:
    """Hold a mask to its image, from both headers.

    Raises:
        DataError: the mask is in colour, of more than 8 bits, of another size than its image, or
            unreadable.
    """
    mode, size = header(mask, "save class values 0..255 as 8 bits")
    if mode not in MODES:
        raise DataError(
            f"{mask} is in colour or has transparency (mode {mode}); save class values as one "
            "channel or as a palette"
        )
    expected = header(image)[1]
    if size != expected:
        raise DataError(
            f"{mask} is {size[0]} x {size[1]} pixels where {image} is {expected[0]} x "
            f"{expected[1]}; save the mask at its image's size"
        )

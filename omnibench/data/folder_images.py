"""Images of a folder, decoded by Pillow when they are read."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from omnibench.errors import DataError

LARGEST_SIDE = 512
GREY_MODES = ("1", "L", "LA", "La")
# What Pillow raises for damaged files of the formats that folders may hold.
DAMAGE = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    IndexError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


@dataclass(frozen=True)
class FolderImages:
    """Images brought to one size: an image of another is resized, bilinear and antialiased.

    Attributes:
        root: the folder that `files` are named from.
        shape: (N, H, W) for grey or (N, H, W, 3) for colour images.
    """

    root: Path
    files: tuple[str, ...]
    shape: tuple[int, ...]

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Decode images start..stop-1; like a slice, at most those there are.

        Raises:
            DataError: an image is damaged.
        """
        return self._decoded(self.files[start:stop])

    def read_rows(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Decode the images at `indices`, in that order.

        Raises:
            DataError: an image is damaged.
        """
        return self._decoded([self.files[index] for index in indices])

    def _decoded(self, files: Sequence[str]) -> NDArray[np.uint8]:
        images = np.empty((len(files), *self.shape[1:]), np.uint8)
        for image, name in zip(images, files, strict=True):
            image[:] = decode(self.root / name, self.shape[1:], self.root / name)
        return images


def survey(root: Path, files: Sequence[str]) -> tuple[Literal[1, 3], int, int]:
    """Return (channels, H, W) for all images, from their headers.

    One channel if every image is grey, else three. The size is the largest height and the largest
    width, each at most LARGEST_SIDE: images of one size that is not larger stay as they are.

    Raises:
        DataError: an image is unreadable, of more than 8 bits, or a stack of several.
    """
    channels: Literal[1, 3] = 1
    height = width = 1
    for name in files:
        mode, (columns, rows) = header(root / name)
        if mode not in GREY_MODES:
            channels = 3
        height, width = max(height, rows), max(width, columns)
    return channels, min(height, LARGEST_SIDE), min(width, LARGEST_SIDE)


def header(
    file: Path | BinaryIO,
    deep: str = "window it to 8 bits first",
    where: Path | str | None = None,
) -> tuple[str, tuple[int, int]]:
    """Return the mode and the size (W, H) of an image.

    Args:
        deep: what to do about one of more than 8 bits, for the message.
        where: what the message calls the image, if not by its path.

    Raises:
        DataError: it is unreadable, of more than 8 bits, or a stack of several.
    """
    name = where or str(file)
    try:
        with Image.open(file) as image:
            mode, size, frames = image.mode, image.size, getattr(image, "n_frames", 1)
    except DAMAGE as error:
        raise unreadable(name, error) from error
    if mode == "F" or mode.startswith("I"):
        raise DataError(f"{name} has more than 8 bits a pixel (mode {mode}); {deep}")
    if frames > 1:
        raise DataError(f"{name} is a stack of {frames} images; save each as a file of its own")
    return mode, size


def decode(file: Path | BinaryIO, shape: tuple[int, ...], where: Path | str) -> NDArray[np.uint8]:
    """Return an image of this shape: (H, W) for grey, (H, W, 3) for colour.

    Args:
        where: what the message calls the image.

    Raises:
        DataError: it is damaged.
    """
    try:
        with Image.open(file) as opened:
            # by way of RGBA, or Pillow warns of each palette that has transparency
            image = opened.convert("RGBA") if opened.mode == "P" else opened
            image = image.convert("RGB" if len(shape) == 3 else "L")
        size = (shape[1], shape[0])
        if image.size != size:
            image = image.resize(size, Image.Resampling.BILINEAR)
        return np.asarray(image)
    except DAMAGE as error:
        raise unreadable(where, error) from error


def unreadable(where: Path | str, error: Exception) -> DataError:
    """The refusal of an image that Pillow cannot read."""
    return DataError(f"{where} cannot be read as an image ({error}); replace or remove it")

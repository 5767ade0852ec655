"""The images of one member of a pool, as grey squares: of an array, or of files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from omnibench.cards import DatasetCard
from omnibench.data import Images, sources
from omnibench.data.folder_images import decode, header, unreadable
from omnibench.files import read_regular

CHUNK = 64  # images resized together: 64 of 512 px are 67 MB as floats
# Ties of rounding go up by this margin, so that no image depends on those it is resized with.
HALF = 0.5 + 2**-10


@dataclass(frozen=True)
class ArrayMember:
    """Images of one size, in memory or packed."""

    images: Images

    def __len__(self) -> int:
        return self.images.shape[0]

    def read(self, rows: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
        """Return uint8 [n, size, size]."""
        images = np.empty((len(rows), size, size), np.uint8)
        for start in range(0, len(rows), CHUNK):
            chunk = grey(self.images.read_rows(rows[start : start + CHUNK]))
            images[start : start + CHUNK] = resized(chunk, size)
        return images

    def smaller_than(self, size: int) -> int:
        """How many have a side below `size`."""
        return len(self) if min(self.images.shape[1:3]) < size else 0


@dataclass
class FileMember:
    """Image files, each opened when it is read.

    Attributes:
        root: the folder that `files` are named from.
        sides: int32 [N], the shorter side of each image in pixels; 0 until it is read.
    """

    root: Path
    files: Sequence[str]
    sides: NDArray[np.int32] = field(init=False)

    def __post_init__(self) -> None:
        self.sides = np.zeros(len(self.files), np.int32)

    def __len__(self) -> int:
        return len(self.files)

    def read_one(self, row: int, size: int) -> NDArray[np.uint8]:
        """Return uint8 [size, size].

        Raises:
            DataError: the image is absent or damaged, of more than 8 bits, or a stack of several.
        """
        path = self.root / self.files[row]
        try:
            content = read_regular(path)
        except OSError as error:
            raise unreadable(path, error) from error
        width, height = header(BytesIO(content), where=path).size
        image = decode(BytesIO(content), (size, size), path)
        self.sides[row] = min(width, height)
        return image

    def smaller_than(self, size: int) -> int:
        """How many of those read so far have a side below `size`."""
        return int(np.count_nonzero((self.sides > 0) & (self.sides < size)))


def grey(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn [n, H, W, 3] into [n, H, W]: ITU-R 601-2 luma, rounded as Pillow's "L"; grey stays."""
    if images.ndim == 3:
        return images
    red, green, blue = (images[..., channel].astype(np.uint32) for channel in range(3))
    luma = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16
    return luma.astype(np.uint8)


def resized(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Bring [n, H, W] to [n, size, size]; bilinear, antialiased, at most a level off Pillow's."""
    if images.shape[1:] == (size, size):
        return images
    import torch

    from omnibench.data.resize import resize

    pixels = resize(torch.from_numpy(images)[:, None].float(), size)[:, 0]
    array: NDArray[np.uint8] = (pixels + HALF).clamp(0, 255).to(torch.uint8).numpy()
    return array


def open_member(card: DatasetCard, data_dir: Path) -> ArrayMember | FileMember:
    """Return the training images of a dataset, without opening a file where its reader lists them.

    A reader's `read` opens every header, and refuses the whole dataset for one that is damaged.

    Raises:
        DataError: it is absent, or not what its card says.
    """
    reader = sources.reader_of(card)
    if reader is not None and reader.training_files is not None:
        return FileMember(*reader.call("training_files", sources.place(card, data_dir)))
    return ArrayMember(sources.load(card, data_dir).splits["train"].images)

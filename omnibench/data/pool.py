"""Unlabelled training images of one or several datasets as one pool.

Only the train split of each dataset is in it. Image files are listed and decoded when they are
read; one that cannot be read is skipped and counted.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import chain
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from omnibench.cards import DatasetCard
from omnibench.data import Dataset, Images, Split, sources
from omnibench.data.image_files import decode, header, unreadable
from omnibench.errors import DataError, RequestError
from omnibench.files import read_regular

SIDE = 224  # of what `read` gives, where the card names none
NAMED = 3  # unreadable images in the refusal
log = logging.getLogger("omnibench")


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
        """Return how many have a side below `size`."""
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
        """Return how many of those read so far have a side below `size`."""
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


def pool_card(references: Sequence[str], base: Path) -> DatasetCard:
    """Return the card of a pool: of one dataset its own, of several one that has them as members.

    Args:
        references: as `sources.resolve` takes them; paths go from `base` on.

    Raises:
        RequestError: there is none, one is unknown, or two have the same id.
    """
    cards: dict[str, DatasetCard] = {}
    for reference in references:
        card = sources.resolve(reference, base)
        if card.id in cards:
            raise RequestError(
                f"'{reference}' is the second dataset called '{card.id}' in one pool; name each "
                "dataset once, and rename the file or folder of another one"
            )
        cards[card.id] = card
    members = tuple(cards.values())
    if not members:
        raise RequestError("a pool has no dataset; name at least one, such as phantom")
    if len(members) == 1:
        return members[0]
    return DatasetCard(
        id="_".join(cards),
        reader="omnibench.data.pool:read",
        members=members,
        tasks=(),
        splits={"train": sum(card.splits.get("train", 0) for card in members)},
    )


def open_pool(card: DatasetCard, data_dir: Path, limit: int = 100) -> "Pool":
    """Open a card's training images, or those of its members; no image file is opened yet.

    Args:
        limit: how many unreadable images are put up with.

    Raises:
        DataError: a dataset is absent, or not what its card says.
    """
    absent = sources.missing(card, data_dir)
    if absent:
        raise DataError("; ".join(absent))
    members = {member.id: open_member(member, data_dir) for member in card.members or (card,)}
    return Pool(members, limit)


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Return a dataset with the one split train: grey squares of the card's resolution, or SIDE px.

    For whoever wants images of one size; `open_pool` gives them at any.

    Raises:
        DataError: as `open_pool`; when images are read, as `Pool.read`.
    """
    images = PoolImages(open_pool(card, data_dir), card.resolution or SIDE)
    return Dataset(
        card, {"train": Split(images=images)}, {"files": sources.source_digest(card, data_dir)}
    )


class Pool:
    """N images of several datasets, in their order; any number of threads may read.

    Attributes:
        members: ids of the datasets.
        member_of: int64 [N], the index of each image's dataset.
        unreadable: index -> name of each image that was found unreadable so far.
    """

    def __init__(self, members: Mapping[str, ArrayMember | FileMember], limit: int) -> None:
        counts = [len(member) for member in members.values()]
        self.members = tuple(members)
        self.member_of: NDArray[np.int64] = np.repeat(np.arange(len(counts)), counts)
        self.unreadable: dict[int, str] = {}
        self._parts = tuple(members.values())
        self._starts = np.cumsum([0, *counts])
        self._limit = limit
        self._counting = Lock()

    def __len__(self) -> int:
        return len(self.member_of)

    def read(self, rows: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
        """Return the images at `rows`, uint8 [n, size, size], grey.

        Colour becomes luminance as Pillow's "L" has it; other sizes and sides are brought to
        `size`, bilinear and antialiased. In the place of an unreadable image comes the next
        readable one of the pool, after its last one the first. What comes for a row depends on
        nothing but the row, the size and the files.

        Raises:
            DataError: more than `limit` images turned out unreadable, or all of them.
            IndexError: a row is not in 0..N-1.
        """
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows of the pool must lie in 0..{len(self) - 1}")
        images = np.empty((len(rows), size, size), np.uint8)
        owners = self.member_of[rows]
        for owner in np.unique(owners):
            places, part = np.flatnonzero(owners == owner), self._parts[int(owner)]
            if isinstance(part, ArrayMember):
                images[places] = part.read(rows[places] - self._starts[owner], size)
                continue
            for place in places:
                images[place] = self._next_readable(int(rows[place]), size)
        return images

    def smaller_than(self, size: int) -> int:
        """Return how many images, of files those read so far, have a side below `size`."""
        return sum(part.smaller_than(size) for part in self._parts)

    def _next_readable(self, row: int, size: int) -> NDArray[np.uint8]:
        for index in chain(range(row, len(self)), range(row)):
            if index in self.unreadable:
                continue
            owner = int(self.member_of[index])
            part, place = self._parts[owner], index - int(self._starts[owner])
            if isinstance(part, ArrayMember):
                image: NDArray[np.uint8] = part.read(np.array([place]), size)[0]
                return image
            try:
                return part.read_one(place, size)
            except DataError as error:
                self._skip(index, part.files[place], error)
        raise DataError(
            f"no image of the pool {', '.join(self.members)} can be read ({self._first()}); put "
            "readable ones there"
        )

    def _skip(self, index: int, name: str, error: DataError) -> None:
        with self._counting:
            if index in self.unreadable:  # another thread was quicker
                return
            self.unreadable[index] = name
        log.warning("%s; until then the next image takes its place", error)
        if len(self.unreadable) > self._limit:
            raise DataError(
                f"{len(self.unreadable)} images of the pool {', '.join(self.members)} cannot be "
                f"read where {self._limit} are put up with ({self._first()}); repair or remove "
                f"them, of the last it is said: {error}"
            ) from error

    def _first(self) -> str:
        names = list(self.unreadable.values())
        return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")


@dataclass(frozen=True)
class PoolImages:
    """A pool's images at one size, as a split holds them."""

    pool: Pool
    size: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.pool), self.size, self.size)

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        return self.pool.read(np.arange(len(self.pool))[start:stop], self.size)

    def read_rows(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        return self.pool.read(indices, self.size)

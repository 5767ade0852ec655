"""Images and masks of an npz file as they are kept: uint8, converted piece by piece."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.data.npz_archive import Archive, Member
from omnibench.data.npz_layout import Layout
from omnibench.data.packing import Stream
from omnibench.errors import DataError

Convert = Callable[[NDArray[Any], int, str], NDArray[np.uint8]]


def streams_of(archive: Archive, layout: Layout) -> dict[str, Stream]:
    """Return `{split}_images` and, where there are any, `{split}_masks` as they will be kept.

    Grey images and masks lose a channel axis they may have, and volumes become the slices of all:
    [N, H, W].
    """
    streams = {}
    pixel = (3,) if layout.channels == 3 else ()
    convert = partial(image_values, what=layout.what)
    for split, count in layout.counts.items():
        images = count * (layout.slices or 1)
        streams[f"{split}_images"] = _stream(
            archive, layout.images[split], (images, *layout.size, *pixel), convert
        )
        if split in layout.masks:
            streams[f"{split}_masks"] = _stream(
                archive, layout.masks[split], (count, *layout.size), mask_values
            )
    return streams


def image_values(
    chunk: NDArray[Any], first: int, where: str, what: str = "image"
) -> NDArray[np.uint8]:
    """Return images as uint8: as they are, or floats between 0 and 1 times 255, rounded.

    Args:
        chunk: [n, ...] uint8 or floats.
        first: index of the first of them in its split.
        where: file and array, for the message.
        what: each of the n is, for the message.

    Raises:
        DataError: a float is NaN or outside 0..1.
    """
    if chunk.dtype == np.uint8:
        return chunk
    _refuse_first(
        ~((chunk >= 0) & (chunk <= 1)),  # true for NaN
        chunk,
        first,
        where,
        "float images must lie between 0 and 1: scale them, or save uint8",
        what,
    )
    # float16 has too few digits for the product to round as float32's does
    scaled = chunk.astype(np.promote_types(chunk.dtype, np.float32)) * 255
    values: NDArray[np.uint8] = np.rint(scaled).astype(np.uint8)
    return values


def mask_values(chunk: NDArray[Any], first: int, where: str) -> NDArray[np.uint8]:
    """Return masks [n, ...] of any integers as uint8; arguments as in `image_values`.

    Raises:
        DataError: a value is outside 0..255.
    """
    if chunk.dtype not in (np.uint8, np.bool_):
        _refuse_first(
            (chunk < 0) | (chunk > 255), chunk, first, where, "mask values must lie in 0..255"
        )
    return chunk.astype(np.uint8, copy=False)


def _stream(archive: Archive, member: Member, shape: tuple[int, ...], convert: Convert) -> Stream:
    where = f"{archive.path}: {member.name}"

    def chunks() -> Iterator[NDArray[np.uint8]]:
        first = 0
        for chunk in archive.chunks(member.name):
            yield convert(chunk, first, where).reshape(-1, *shape[1:])
            first += len(chunk)

    return Stream(shape, chunks)


def _refuse_first(
    bad: NDArray[np.bool_],
    chunk: NDArray[Any],
    first: int,
    where: str,
    rule: str,
    what: str = "image",
) -> None:
    if bad.any():
        position = np.unravel_index(int(bad.argmax()), bad.shape)
        raise DataError(f"{where} holds {chunk[position]} in {what} {first + position[0]}; {rule}")

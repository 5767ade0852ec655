"""Image files: their headers, images and masks decoded by Pillow when they are read."""

import contextlib
import hashlib
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from omnibench.data.checksums import remembered
from omnibench.data.declaration import Colour
from omnibench.errors import DataError
from omnibench.files import open_regular

# Images up to this side are read whole and resized by the encoder; larger ones are decoded at the
# size that is asked for, so that memory does not grow with the files.
WHOLE_SIDE = 512
GREY_MODES = ("1", "L", "LA", "La")
MASK_MODES = ("1", "L", "P")
NAMED = 3  # files in a refusal
T = TypeVar("T")
BITS_PER_SAMPLE = 258  # a TIFF's tag
ORIENTATION = 0x0112  # EXIF's tag; TIFFs are turned by Pillow itself
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
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

    def at(self, size: int) -> Self:
        """Return the images as they are decoded for an input of this size: see `cut`."""
        return replace(self, shape=(self.shape[0], *cut(self.shape[1:3], size), *self.shape[3:]))

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

    def read_native(self, index: int) -> NDArray[np.uint8]:
        """Decode one image at its file's own size.

        Raises:
            DataError: it is damaged.
        """
        path = self.root / self.files[index]
        columns, rows = header(path).size
        return decode(path, (rows, columns, *self.shape[3:]), path)

    def _decoded(self, files: Sequence[str]) -> NDArray[np.uint8]:
        images = np.empty((len(files), *self.shape[1:]), np.uint8)
        for image, name in zip(images, files, strict=True):
            image[:] = decode(self.root / name, self.shape[1:], self.root / name)
        return images


def cut(sides: tuple[int, ...], size: int) -> tuple[int, ...]:
    """Return the (H, W) that images of these sides are decoded at for an input of this size.

    Sides up to WHOLE_SIDE stay as they are; else no side is larger than the input's.
    """
    return sides if max(sides) <= WHOLE_SIDE else tuple(min(side, size) for side in sides)


def survey(root: Path, files: Sequence[str]) -> tuple[Literal[1, 3], int, int]:
    """Return (channels, H, W) for all images, from their headers.

    One channel if every image is grey, else three. The size is the largest height and the largest
    width: images of one size stay as they are.

    Raises:
        DataError: images are unreadable, of more than 8 bits a channel, or stacks of several; the
            first of them by name.
    """
    headers = every(files, lambda name: header(root / name))
    channels: Literal[1, 3] = 1 if all(image.mode in GREY_MODES for image in headers) else 3
    return (
        channels,
        max(image.size[1] for image in headers),
        max(image.size[0] for image in headers),
    )


def every(names: Iterable[str], look: Callable[[str], T]) -> list[T]:
    """Return what a look at each file gives.

    Raises:
        DataError: of the first files that cannot be used, with the number of the others.
    """
    results, complaints = [], []
    for name in names:
        try:
            results.append(look(name))
        except DataError as error:
            complaints.append(str(error))
    if complaints:
        more = len(complaints) - NAMED
        further = [f"and {more} more files cannot be used"] if more > 0 else []
        raise DataError("; ".join([*complaints[:NAMED], *further]))
    return results


class Header(NamedTuple):
    """What a file says of its image.

    Attributes:
        mode: Pillow's.
        size: (W, H), upright.
        is_turned: whether its EXIF turns it.
    """

    mode: str
    size: tuple[int, int]
    is_turned: bool


def header(
    file: Path | BinaryIO,
    deep: str = "window it to 8 bits first",
    where: Path | str | None = None,
) -> Header:
    """Return the header of an image.

    Values of more than 8 bits are refused, since nothing tells which range of them matters: scaled
    by their type's full range most CT would come out black.

    Args:
        deep: what to do about one of more than 8 bits, for the message.
        where: what the message calls the image, if not by its path.

    Raises:
        DataError: it is unreadable, of more than 8 bits a channel, or a stack of several.
    """
    name = where or str(file)
    try:
        with opened_image(file) as image:
            mode, size, kind = image.mode, image.size, image.format
            # the further pictures of a camera's file are previews of the first, or its depth
            frames = 1 if kind == "MPO" else getattr(image, "n_frames", 1)
            is_deep, turn = _is_deep(image), orientation(image)
    except DAMAGE as error:
        raise unreadable(name, error) from error
    if is_deep:
        raise DataError(f"{name} has more than 8 bits a pixel's channel (mode {mode}); {deep}")
    if frames > 1:
        raise DataError(f"{name} is a stack of {frames} images; save each as a file of its own")
    return Header(mode, size if turn < 5 else size[::-1], turn != 1)


@contextlib.contextmanager
def opened_image(file: Path | BinaryIO) -> Iterator[Image.Image]:
    """Open an image; a pipe or a device, which may never end, is refused as an OSError."""
    with contextlib.ExitStack() as stack:
        content = stack.enter_context(open_regular(file)) if isinstance(file, Path) else file
        yield stack.enter_context(Image.open(content))


def decode(file: Path | BinaryIO, shape: tuple[int, ...], where: Path | str) -> NDArray[np.uint8]:
    """Return an image of this shape: (H, W) for grey, (H, W, 3) for colour.

    It is turned as its EXIF says; transparency is dropped.

    Args:
        where: what the message calls the image.

    Raises:
        DataError: it is damaged.
    """
    try:
        with opened_image(file) as opened:
            turn = orientation(opened)
            # by way of RGBA, or Pillow warns of each palette that has transparency
            image = opened.convert("RGBA") if opened.mode == "P" else opened
            image = turned(image.convert("RGB" if len(shape) == 3 else "L"), turn)
        size = (shape[1], shape[0])
        if image.size != size:
            image = image.resize(size, Image.Resampling.BILINEAR)
        return np.asarray(image)
    except DAMAGE as error:
        raise unreadable(where, error) from error


def turned(image: Image.Image, turn: int) -> Image.Image:
    """Return an image turned upright from one of EXIF's orientations."""
    return image if turn == 1 else image.transpose(TURNS[turn])


def orientation(image: Image.Image) -> int:
    """Return EXIF's orientation, 1 where it has none, as the header tells it."""
    # Pillow would decode a whole PNG to look for EXIF behind its pixels
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return 1
    turn = image.getexif().get(ORIENTATION, 1)
    return turn if turn in TURNS else 1


def _is_deep(image: Image.Image) -> bool:
    """Return whether a channel has more than 8 bits, which Pillow's mode does not always tell."""
    if image.mode == "F" or image.mode.startswith("I"):
        return True
    if image.format == "TIFF":
        return bool(max(getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, (8,))) > 8)
    tiles = getattr(image, "tile", ())  # of a PNG: how its rows are decoded, such as "RGB;16B"
    return image.format == "PNG" and any("16" in str(tile[3]) for tile in tiles)


def unreadable(where: Path | str, error: Exception) -> DataError:
    """Return the refusal of an image that Pillow cannot read."""
    return DataError(f"{where} cannot be read as an image ({error}); replace or remove it")


@dataclass(frozen=True)
class FolderMasks:
    """Masks brought to one size: one of another is resized to its nearest values.

    A palette image gives its palette's indices, a black and white one 0 and 1; where colours are
    declared, every mask gives the places of its colours among them.

    Attributes:
        root: the folder that `files` are named from.
        shape: (N, H, W).
        colours: that the values 0, 1, ... stand for; () where they stand for themselves.
    """

    root: Path
    files: tuple[str, ...]
    shape: tuple[int, ...]
    colours: tuple[Colour, ...] = ()

    def at(self, size: int) -> Self:
        """Return the masks as they are decoded for an input of this size: as their images are."""
        return replace(self, shape=(self.shape[0], *cut(self.shape[1:], size)))

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

    def read_native(self, index: int) -> NDArray[np.uint8]:
        """Decode one mask at its file's own size, [H, W].

        Raises:
            DataError: it is damaged, or of a colour that is not declared.
        """
        path = self.root / self.files[index]
        try:
            with opened_image(path) as opened:
                turn = orientation(opened)
                if not self.colours:
                    opened.load()
                    return np.asarray(turned(opened, turn)).astype(np.uint8, copy=False)
                image = turned(opened.convert("RGBA").convert("RGB"), turn)
        except DAMAGE as error:
            raise unreadable(path, error) from error
        return self._coded(np.asarray(image), path)

    def _decoded(self, files: Sequence[str]) -> NDArray[np.uint8]:
        _, height, width = self.shape
        masks = np.empty((len(files), height, width), np.uint8)
        for mask, name in zip(masks, files, strict=True):
            native = replace(self, files=(name,)).read_native(0)
            if native.shape != (height, width):
                image = Image.fromarray(native)
                native = np.asarray(image.resize((width, height), Image.Resampling.NEAREST))
            mask[:] = native
        return masks

    def _coded(self, pixels: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
        """Turn colours [H, W, 3] into their places among `colours`."""
        packed = pixels.astype(np.int64) @ (65536, 256, 1)
        known = np.array(self.colours) @ (65536, 256, 1)
        order = np.argsort(known)
        places = order[np.searchsorted(known, packed, sorter=order).clip(max=len(known) - 1)]
        strange = known[places] != packed
        if strange.any():
            row, column = np.argwhere(strange)[0]
            raise DataError(
                f"{path} holds the colour #{packed[row, column]:06x}, which is not declared; add "
                "it to mask_values or to ignore"
            )
        codes: NDArray[np.uint8] = places.astype(np.uint8)
        return codes


def check_mask(image: Path, mask: Path, by_colour: bool = False) -> None:
    """Hold a mask to its image, from both headers.

    Args:
        by_colour: whether colours are declared, so that it may have some.

    Raises:
        DataError: the mask is in colour, of more than 8 bits, of another size than its image, or
            unreadable.
    """
    mode, size, _ = header(mask, "save class values 0..255 as 8 bits")
    if mode not in MASK_MODES and not by_colour:
        raise DataError(
            f"{mask} is in colour or has transparency (mode {mode}); save class values as one "
            'channel, or declare its colours under mask_values: in omnibench.yaml ("#000000": '
            'background, "#ff0000": lesion)'
        )
    expected = header(image).size
    if size != expected:
        raise DataError(
            f"{mask} is {size[0]} x {size[1]} pixels where {image} is {expected[0]} x "
            f"{expected[1]}; save the mask at its image's size"
        )


def check_palettes(root: Path, masks: Sequence[str]) -> None:
    """Refuse palettes whose indices may not be meant as class numbers.

    Raises:
        DataError: index 0 is not black, or one index has two colours in two files.
    """
    known: list[tuple[Colour, str]] = []  # of each index, the first file's
    for name in masks:
        with opened_image(root / name) as image:
            palette = (image.getpalette() or []) if image.mode == "P" else []
        colours = [(palette[i], palette[i + 1], palette[i + 2]) for i in range(0, len(palette), 3)]
        if colours and colours[0] != (0, 0, 0):
            raise DataError(
                f"{root / name} has the colour {_hex(colours[0])} as its palette's index 0, so "
                "that nothing tells whether indices or colours are its classes; declare "
                f"mask_values: in omnibench.yaml, by index ({{0: ..., 1: ...}}) or by colour "
                f'({{"{_hex(colours[0])}": ...}}), the background first'
            )
        for index, (colour, (first, other)) in enumerate(zip(colours, known, strict=False)):
            if colour != first:
                raise DataError(
                    f"{root / name} has {_hex(colour)} as index {index} of its palette where "
                    f"{root / other} has {_hex(first)}; declare mask_values: by colour in "
                    f'omnibench.yaml ({{"{_hex(colour)}": ...}}), the background first'
                )
        known += [(colour, name) for colour in colours[len(known) :]]


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def as_read(
    digest: str,
    root: Path,
    images: Sequence[str],
    data_dir: Path,
    *,
    sides: bool = True,
    masks: Sequence[str] = (),
) -> str:
    """Return the digest of files and of how they are read.

    Before, images were cut to WHOLE_SIDE px, EXIF's orientation was not looked at, and masks of
    several sizes were never scored at their own. Files that this changes have another digest,
    others the same.

    Args:
        digest: of the files alone.
        images: names from the root on.
        sides: whether images above WHOLE_SIDE are read otherwise than before.
        masks: names of their masks, which are turned as well, and which several sizes matter to.
    """
    question = f"reading 3 of {digest}, sides {sides}, masks {bool(masks)}"
    changed = remembered(data_dir, question, lambda: _is_changed(root, images, masks, sides))
    if not changed:
        return digest
    return f"sha256:{hashlib.sha256(f'{digest} reading 2'.encode()).hexdigest()}"


def _is_changed(root: Path, images: Sequence[str], masks: Sequence[str], sides: bool) -> bool:
    headers = _headers(root, images)
    sizes = {image.size for image in headers}
    return (
        any(file.is_turned for file in [*headers, *_headers(root, masks)])
        or (sides and any(max(size) > WHOLE_SIDE for size in sizes))
        or (bool(masks) and len(sizes) > 1)
    )


def _headers(root: Path, names: Sequence[str]) -> list[Header]:
    headers: list[Header] = []
    for name in names:
        with contextlib.suppress(DataError):  # whoever reads it says so
            headers.append(header(root / name))
    return headers

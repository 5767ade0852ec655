"""Masks of a folder, decoded by Pillow when they are read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from omnibench.data.declaration import Colour
from omnibench.data.folder_images import (
    DAMAGE,
    cut,
    header,
    opened_image,
    orientation,
    turned,
    unreadable,
)
from omnibench.errors import DataError

MODES = ("1", "L", "P")


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
    if mode not in MODES and not by_colour:
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

"""Images behind one small reading interface: of an array, of files, or a selection of others.

numpy is imported by type checkers alone, so that registering a dataset stays light.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, TypeGuard, runtime_checkable

from typing_extensions import TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from omnibench.window import Window

# What a pixel is: `Images` alone are uint8, `Images[np.float32]` are float maps.
T = TypeVar("T")
Pixel = TypeVar("Pixel", bound="np.generic", default="np.uint8", covariant=True)


class Images(Protocol[Pixel]):
    """N images of one size: grey [N, H, W] or RGB [N, H, W, 3]."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (N, H, W) or (N, H, W, 3)."""
        ...

    def read(self, start: int, stop: int) -> NDArray[Pixel]:
        """Return images start..stop-1, freshly read; at most N of them."""
        ...

    def read_rows(self, indices: NDArray[np.int64]) -> NDArray[Pixel]:
        """Return the images at `indices`, in that order."""
        ...


@runtime_checkable
class Resizable(Protocol):
    """Images, or a target made of some, that are decoded when they are read."""

    def at(self, size: int) -> Self:
        """Return the same as it is decoded for an input of this size."""
        ...


@runtime_checkable
class Windowable(Protocol):
    """Images whose stored values become grey levels when they are read."""

    def windowed(self, window: Window) -> Self:
        """Return the same as it is seen through this window."""
        ...


class Native(Images[Pixel], Protocol[Pixel]):
    """Images that may be read at their files' own sizes."""

    def read_native(self, index: int) -> NDArray[Pixel]:
        """Return one image at its own size."""
        ...


@dataclass(frozen=True)
class ArrayImages(Images[Pixel]):
    """Images that are in memory already; what shares the array cannot write into what is read."""

    array: NDArray[Pixel]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    def read(self, start: int, stop: int) -> NDArray[Pixel]:
        part = self.array[start:stop]
        part.flags.writeable = False
        return part

    def read_rows(self, indices: NDArray[np.int64]) -> NDArray[Pixel]:
        return self.array[indices]


@dataclass(frozen=True)
class SubsetImages(Images[Pixel]):
    """The images of `base` at `indices`."""

    base: Images[Pixel]
    indices: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.indices), *self.base.shape[1:])

    def read(self, start: int, stop: int) -> NDArray[Pixel]:
        return self.base.read_rows(self.indices[start:stop])

    def read_rows(self, indices: NDArray[np.int64]) -> NDArray[Pixel]:
        return self.base.read_rows(self.indices[indices])

    def at(self, size: int) -> Self:
        return type(self)(at_size(self.base, size), self.indices)

    def windowed(self, window: Window) -> Self:
        return type(self)(in_window(self.base, window), self.indices)

    def read_native(self, index: int) -> NDArray[Pixel]:
        return native(self.base, int(self.indices[index]))


def at_size(values: T, size: int) -> T:
    """Return values as decoded for an input of this size; as they are where nothing is decoded."""
    return values.at(size) if isinstance(values, Resizable) else values


def in_window(values: T, window: Window) -> T:
    """Return values as seen through this window; as they are where nothing is windowed."""
    return values.windowed(window) if isinstance(values, Windowable) else values


def is_native(images: Images[Pixel]) -> TypeGuard[Native[Pixel]]:
    """Return whether images are of files that have their own sizes, whatever wraps them."""
    base = getattr(images, "base", None)
    return hasattr(images, "read_native") if base is None else is_native(base)


def native(images: Images[Pixel], index: int) -> NDArray[Pixel]:
    """Return one image at its file's own size; of an array at the array's."""
    if is_native(images):
        return images.read_native(index)
    image: NDArray[Pixel] = images.read(index, index + 1)[0]
    return image


def name_of(images: Images[Pixel], index: int) -> str:
    """Return an image's file, or its number in the whole split where it has none."""
    if isinstance(images, SubsetImages):
        return name_of(images.base, int(images.indices[index]))
    files = getattr(images, "files", None)
    return f"image {index}" if files is None else str(files[index])

"""What is known of each image of a split: labels, masks, texts, maps, numbers, or one's own kind.

numpy is imported by type checkers alone, so that registering a dataset stays light.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

from omnibench.data.images import Images, SubsetImages, at_size
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Target(Protocol):
    """N values, one for each image of a split.

    A target whose values are images may have a method `at(size) -> Self` as well, which returns it
    decoded for an input of that size.
    """

    def __len__(self) -> int:
        """Return N."""
        ...

    def take(self, indices: NDArray[np.int64]) -> Self:
        """Return the values at `indices`, in that order."""
        ...


@dataclass(frozen=True)
class Labels:
    """Class labels.

    Attributes:
        values: int64 [N] class indices, or [N, L] zeros and ones where an image has several.
    """

    values: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, indices: NDArray[np.int64]) -> Self:
        return replace(self, values=self.values[indices])


@dataclass(frozen=True)
class Masks:
    """Masks of class values.

    Attributes:
        images: uint8 [N, H, W].
    """

    images: Images

    def __len__(self) -> int:
        return self.images.shape[0]

    def take(self, indices: NDArray[np.int64]) -> Self:
        return replace(self, images=SubsetImages(self.images, indices))

    def at(self, size: int) -> Self:
        return replace(self, images=at_size(self.images, size))


@dataclass(frozen=True)
class Texts:
    """A text an image, such as its caption."""

    values: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, indices: NDArray[np.int64]) -> Self:
        return replace(self, values=tuple(self.values[index] for index in indices))


@dataclass(frozen=True)
class Numbers:
    """Numbers of each image, or of each study.

    Attributes:
        values: [N, ...].
    """

    values: NDArray[Any]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, indices: NDArray[np.int64]) -> Self:
        return replace(self, values=self.values[indices])


@dataclass(frozen=True)
class Maps:
    """Maps of numbers, such as a depth or a dose in each pixel.

    Attributes:
        images: float32 [N, H, W], or [N, H, W, C] where a pixel has several numbers.
        valid: bool [N, H, W], the pixels whose numbers are known; None where all are.

    Raises:
        DataError: the two are of different sizes.
    """

    images: Images[np.float32]
    valid: Images[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.valid is not None and self.valid.shape != self.images.shape[:3]:
            raise DataError(
                f"a validity mask is {list(self.valid.shape)} where its maps are "
                f"{list(self.images.shape)}; give both the same size"
            )

    def __len__(self) -> int:
        return self.images.shape[0]

    def take(self, indices: NDArray[np.int64]) -> Self:
        valid = None if self.valid is None else SubsetImages(self.valid, indices)
        return replace(self, images=SubsetImages(self.images, indices), valid=valid)

    def at(self, size: int) -> Self:
        valid = None if self.valid is None else at_size(self.valid, size)
        return replace(self, images=at_size(self.images, size), valid=valid)

    def read_rows(
        self, indices: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the maps at `indices`, float32, and bool [n, H, W], which pixels are known."""
        import numpy as np

        values = self.images.read_rows(indices)
        if self.valid is None:
            return values, np.ones(values.shape[:3], np.bool_)
        return values, self.valid.read_rows(indices)

"""Windows: which range of stored values becomes the grey levels 0..255.

In a declaration beside the data, or in a recipe:

    window: [40, 400]                                   # centre and width, as of CT in HU
    window: [[-600, 1500], [40, 400], [400, 1800]]      # three of them become three channels
    window: {percentiles: [1, 99]}                      # of the whole series, as of MR

numpy is imported by type checkers alone, so that a declaration is read without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Width = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Range = tuple[Annotated[float, Field(allow_inf_nan=False)], Width]  # centre, width
Percentile = Annotated[float, Field(ge=0, le=100)]


class Percentiles(BaseModel):
    """A window from one percentile of a series' values to another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    percentiles: tuple[Percentile, Percentile]

    @model_validator(mode="after")
    def _check(self) -> Self:
        low, high = self.percentiles
        if low >= high:
            raise ValueError("they leave no range between them")
        return self


def _in_a_sentence(values: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(values)
    except ValidationError:
        raise ValueError(
            "it is [centre, width] with a width above 0, three of these, or {percentiles: [low, "
            "high]} with 0 <= low < high <= 100"
        ) from None


Window = Annotated[Range | tuple[Range, Range, Range] | Percentiles, WrapValidator(_in_a_sentence)]
_WINDOW: TypeAdapter[Window] = TypeAdapter(Window)


def window_of(recipe: Mapping[str, Any]) -> Window | None:
    """Return the window of a resolved recipe; None where the dataset's own counts."""
    values = recipe.get("window")
    return None if values is None else _WINDOW.validate_python(values)


def ranges_of(window: Window, sample: Callable[[], NDArray[Any]]) -> tuple[Range, ...]:
    """Return the window's ranges, one or three.

    Args:
        sample: gives values of the series; called only where the window asks for percentiles.
    """
    if isinstance(window, Percentiles):
        import numpy as np

        low, high = np.percentile(sample(), window.percentiles).tolist()
        width = high - low or 1.0  # of a series of one value, which lies at the lower end: black
        return ((low + width / 2, width),)
    return window if len(window) == 3 else (window,)


def channels_of(window: Window | None) -> tuple[int, ...]:
    """Return what a window adds to the shape of images: (3,) of three ranges, else nothing."""
    return (3,) if isinstance(window, tuple) and len(window) == 3 else ()


def apply(values: NDArray[Any], ranges: tuple[Range, ...]) -> NDArray[np.uint8]:
    """Return values [...] as grey levels [...], or, of three ranges, as colours [..., 3].

    255 (v - (c - w / 2)) / w, rounded and held to 0..255: DICOM's LINEAR_EXACT (PS3.3
    C.11.2.1.3.2), which unlike its LINEAR means the same of whole numbers and of others.
    """
    import numpy as np

    channels = np.empty((*values.shape, len(ranges)), np.uint8)
    for index, (centre, width) in enumerate(ranges):
        levels = np.subtract(values, centre - width / 2, dtype=np.float32)
        levels *= 255 / width
        np.rint(np.clip(levels, 0, 255, out=levels), out=levels)
        channels[..., index] = levels
    return channels if len(ranges) == 3 else channels[..., 0]

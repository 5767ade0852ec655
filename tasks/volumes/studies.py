"""What is stored of test studies beside their logits: which views each has, and its slices."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from omnibench.data import Labels, Split

if TYPE_CHECKING:
    from .bags import Layout

PRESENT, WEIGHT, SHOWN = "test_view:", "test_slice_weight", "test_slice_shown"
TARGET = "shown"  # labels by image of which a 1 says that it shows what its study's label names


def presence(layout: "Layout", views: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Return "test_view:NAME" -> int8 [S], which studies have a view; {} where there is one."""
    if len(views) == 1:
        return {}
    there: NDArray[np.int8] = np.asarray(layout.there.any(axis=2), np.int8)
    return {f"{PRESENT}{name}": there[..., view] for view, name in enumerate(views)}


def slice_arrays(
    layout: "Layout", split: Split, weights: NDArray[np.float32]
) -> dict[str, NDArray[Any]]:
    """Return the weights of slices [S, V * T], NaN where there is none; and which show it.

    The latter, int8 with -1 where there is no slice, only where the split knows it.

    Args:
        weights: [S, V, T].
    """
    arrays: dict[str, NDArray[Any]] = {
        WEIGHT: np.where(layout.there, weights, np.nan).reshape(len(weights), -1)
    }
    if TARGET in split.targets:
        shown = split.target(TARGET, Labels).values.astype(np.int8)
        arrays[SHOWN] = layout.padded(shown, -1)
    return arrays

"""What the targets of a split hold, for the tests that look at them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.data import Images, Labels, Masks, Split, Texts


def labels_of(split: Split) -> NDArray[np.int64]:
    """Return the labels of a split, [N] or [N, L]."""
    return split.target("labels", Labels).values


def masks_of(split: Split) -> Images:
    """Return the masks of a split."""
    return split.target("masks", Masks).images


def captions_of(split: Any) -> tuple[str, ...]:
    """Return the captions of a split."""
    result: tuple[str, ...] = split.target("captions", Texts).values
    return result

"""Corrupt a batch of images: each by random numbers of its own seed."""

import numpy as np
from numpy.typing import NDArray

from omnibench.data.corruptions.kinds import SEVERITIES, Corruption
from omnibench.data.corruptions.sets import PLAIN, SETS, view_names
from omnibench.errors import RequestError
from omnibench.registry import did_you_mean


def corruption_named(name: str, dataset: str = "") -> Corruption:
    """Return the corruption of a view's name, at the levels of a dataset.

    Args:
        name: as "gaussian-noise" or "mri.bias-field".
        dataset: its id; datasets that a set has no list for have its general levels.

    Raises:
        RequestError: there is none of this name (with near matches).
    """
    known = view_names()
    if name not in known:
        raise RequestError(
            f"no corruption '{name}'{did_you_mean(name, known)}; there are {', '.join(known)}"
        )
    set_name, dot, rest = name.partition(".")
    return SETS[set_name if dot else PLAIN].corruption(rest if dot else name, dataset)


def corrupted(
    images: NDArray[np.uint8],
    corruption: str,
    severity: int,
    seeds: NDArray[np.int64],
    dataset: str = "",
) -> NDArray[np.uint8]:
    """Return corrupted images of the same shape.

    An image's numbers come from its seed and nothing else: neither from its place in the batch nor
    from the severity, so that all severities of a case share them.

    Args:
        images: uint8 [B, H, W] or [B, H, W, 3].
        corruption: its view's name, as "gaussian-noise" or "mri.bias-field".
        severity: 1 to 5.
        seeds: int [B], not negative: of the dataset, the case and the corruption.
        dataset: its id, which decides the levels where the set lists them by dataset.

    Raises:
        RequestError: no such corruption or severity.
    """
    kind = corruption_named(corruption, dataset)
    if severity not in SEVERITIES:
        raise RequestError(f"'{corruption}' has no severity {severity}; give one from 1 to 5")
    result = np.empty_like(images)
    level = kind.levels[severity - 1]
    for row, (image, seed) in enumerate(zip(images, seeds, strict=True)):
        result[row] = kind.apply(image, level, np.random.default_rng(int(seed)))
    return result

"""Fixed sine-cosine position embeddings on a grid of any number of axes.

Sources: Vaswani et al. 2017; on two axes as MAE has them (He et al. 2022, columns before rows).
"""

import functools

import numpy as np
import torch
from torch import Tensor

BASE = 10000.0


@functools.lru_cache(maxsize=16)
def sine_cosine(grid: tuple[int, ...], width: int) -> Tensor:
    """Return the embeddings of a grid's positions, row by row, float32 [prod(grid), width].

    Each axis has width // axes numbers, the last axis first; the first axis has what is left over,
    as 1024 = 341 + 341 + 342. An axis of one position tells nothing and has none, so that a volume
    one patch deep has the embeddings of an image. Of an odd number one more is a sine.
    """
    axes = [axis for axis, count in enumerate(grid) if count > 1]
    places = np.indices(grid).reshape(len(grid), -1)
    embeddings = np.zeros((places.shape[1], width))
    start = 0
    for axis in reversed(axes):
        stop = width if axis == axes[0] else start + width // len(axes)
        embeddings[:, start:stop] = _of_axis(places[axis], stop - start)
        start = stop
    return torch.from_numpy(embeddings).float()


def _of_axis(places: np.ndarray, width: int) -> np.ndarray:
    """Return sines, then cosines, of places times falling frequencies, [N, width]."""
    sines = -(-width // 2)
    angles = np.outer(places, BASE ** (-2 * np.arange(sines) / width))
    return np.concatenate([np.sin(angles), np.cos(angles[:, : width // 2])], axis=1)

"""Small images of two classes, which their brightness tells."""

from pathlib import Path
from typing import Any

import numpy as np


def write_bright_images(path: Path, count: int, step: int) -> None:
    """Write an npz file of `count` grey 16 x 16 images a split; class 1 is `step` the brighter."""
    rng = np.random.default_rng(0)
    arrays = dict[str, Any]()
    for split in ("train", "val", "test"):
        labels = np.arange(count) % 2
        images = rng.integers(0, 120, (count, 16, 16)) + step * labels[:, None, None]
        arrays |= {f"{split}_images": images.astype(np.uint8), f"{split}_labels": labels}
    np.savez(path, **arrays)

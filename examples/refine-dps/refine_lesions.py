"""The dataset `lesion-blocks`: bodies with lesions, of which images show the means of blocks."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from omnibench import ArrayImages, Dataset, DatasetCard, Maps, Split, register_dataset

SIDE, BLOCK, WHITE = 32, 4, 255


def read(card: DatasetCard, data: Path) -> Dataset:
    """Return the splits, each image a patient of its own; nothing is read from `data`."""
    splits = {}
    for seed, (name, count) in enumerate(card.splits.items()):
        random = np.random.default_rng([20, seed])
        maps = np.stack([body(random) for _ in range(count)])
        means = maps.reshape(count, SIDE // BLOCK, BLOCK, SIDE // BLOCK, BLOCK).mean(axis=(2, 4))
        images = np.rint(WHITE * means.repeat(BLOCK, axis=1).repeat(BLOCK, axis=2))
        splits[name] = Split(
            ArrayImages(images.astype(np.uint8)), {"maps": Maps(ArrayImages(maps))}
        )
    return Dataset(card, splits)


def body(random: np.random.Generator) -> NDArray[np.float32]:
    """Draw a body of .35, two organs of .2 to .6 in it, and up to three lesions of .9."""
    image = np.where(ellipse(random.uniform(15, 17, 2), random.uniform(11, 15, 2)), 0.35, 0.0)
    for low, high, radii, count in (
        (0.2, 0.6, (3, 6), 2),
        (0.9, 0.9, (1.5, 4), random.integers(4)),
    ):
        for _ in range(count):
            inside = ellipse(random.uniform(8, 24, 2), random.uniform(*radii, 2))
            image = np.where(inside, random.uniform(low, high), image)
    return image.astype(np.float32)


def ellipse(centre: NDArray[np.float64], radii: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the pixels in an ellipse along the axes."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    off = ((rows - centre[0]) / radii[0]) ** 2 + ((columns - centre[1]) / radii[1]) ** 2
    return np.asarray(off <= 1)


register_dataset(
    DatasetCard.model_validate(
        {
            "id": "lesion-blocks",
            "reader": f"{__name__}:read",
            "tasks": ["dense"],
            "maps": {"unit": "share of white", "range": [0, 1], "structure": 0.75, "block": BLOCK},
            "channels": 1,
            "resolution": SIDE,
            "splits": {"train": 160, "val": 16, "test": 40},
            "primary": {"dense": "mae"},
            "version": 1,
        }
    )
)

"""The dataset `lesion-blocks`: bodies with lesions, of which images show the means of blocks."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from omnibench import ArrayImages, Dataset, DatasetCard, Maps, Split, register_dataset

SIDE, BLOCK = 32, 4  # pixels
MAPS = {"unit": "share of white", "range": [0, 1], "structure": 0.75, "block": BLOCK}


def read(card: DatasetCard, data: Path) -> Dataset:
    """Return the splits, each image a patient of its own; nothing is read from `data`."""
    splits = {}
    for seed, (name, count) in enumerate(card.splits.items()):
        random = np.random.default_rng([20, seed])
        maps = np.stack([body(random) for _ in range(count)])
        means = maps.reshape(count, SIDE // BLOCK, BLOCK, SIDE // BLOCK, BLOCK).mean(axis=(2, 4))
        shown = np.rint(255 * means.repeat(BLOCK, axis=1).repeat(BLOCK, axis=2)).astype(np.uint8)
        splits[name] = Split(ArrayImages(shown), {"maps": Maps(ArrayImages(maps))})
    return Dataset(card, splits)


def body(random: np.random.Generator) -> NDArray[np.float32]:
    """Draw a body of .35, two organs of .2 to .6 in it, and up to three lesions of .9."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    image = np.zeros((SIDE, SIDE), np.float32)
    parts = [(15.0, 17.0, 11.0, 15.0, 0.35, 0.35)] + [(8.0, 24.0, 3.0, 6.0, 0.2, 0.6)] * 2
    parts += [(8.0, 24.0, 1.5, 4.0, 0.9, 0.9)] * int(random.integers(4))
    for near, far, least, largest, low, high in parts:
        (y, x), (tall, wide) = random.uniform(near, far, 2), random.uniform(least, largest, 2)
        inside = ((rows - y) / tall) ** 2 + ((columns - x) / wide) ** 2 <= 1
        image[inside] = random.uniform(low, high)
    return image


CARD = register_dataset(
    DatasetCard(
        id="lesion-blocks",
        reader=f"{__name__}:read",
        tasks=("dense",),
        maps=MAPS,
        channels=1,
        resolution=SIDE,
        splits={"train": 160, "val": 16, "test": 40},
        primary={"dense": "mae"},
    )
)

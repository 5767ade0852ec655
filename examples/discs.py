"""A dataset from outside: discs of any depth on noise, generated, with a depth in every pixel.

omnibench run SUITE --plugin discs.py        # a suite that names the dataset `discs`
"""

from pathlib import Path

import numpy as np

from omnibench import ArrayImages, Dataset, DatasetCard, Labels, Maps, Split, register_dataset

SIDE = 32
COUNTS = {"train": 24, "val": 8, "test": 12}


def read(card: DatasetCard, data: Path) -> Dataset:
    """Return the images, whose brightness tells the depth; the label is whether it is near."""
    return Dataset(
        card, {name: draw(count, seed) for seed, (name, count) in enumerate(COUNTS.items())}
    )


def draw(count: int, seed: int) -> Split:
    """Draw the images of a split: float32 depths of 0 (far) to 100, in half of them above 50."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    centres = random.uniform(10, SIDE - 10, (count, 2, 1, 1))
    radii = random.uniform(6, 10, (count, 1, 1))
    near = np.arange(count) % 2
    depths = (random.uniform(20, 45, count) + 50 * near)[:, None, None]
    inside = (rows - centres[:, 0]) ** 2 + (columns - centres[:, 1]) ** 2 < radii**2
    maps = np.where(inside, depths, 0).astype(np.float32)
    images = 2 * maps + random.uniform(0, 40, maps.shape)
    return Split(
        ArrayImages(images.astype(np.uint8)),
        {"maps": Maps(ArrayImages(maps)), "labels": Labels(near)},
        groups=np.array([f"patient-{seed}-{index // 2}" for index in range(count)]),
    )


register_dataset(
    DatasetCard(
        id="discs",
        reader=f"{__name__}:read",
        tasks=("dense-regression", "classification"),
        labels="binary",
        classes=("far", "near"),
        channels=1,
        resolution=SIDE,
        splits=COUNTS,
        primary={"dense-regression": "mae", "classification": "auc"},
        version=1,  # to be raised when the images change
    )
)

"""The dataset `my-dataset`: its card, and the function that reads it. Edit `read_split`.

omnibench run my_dataset.yaml && omnibench report my_dataset.yaml

Here it is generated. For files: name them with their SHA-256 in the card's `files`, read them
below `data`, and raise an error that says what is absent.
"""

from pathlib import Path

import numpy as np

from omnibench import ArrayImages, Dataset, DatasetCard, Labels, Split, register_dataset

SIDE = 64  # pixels
COUNTS = {"train": 80, "val": 20, "test": 40}
CLASSES = ("horizontal", "vertical")


def read(card: DatasetCard, data: Path) -> Dataset:
    """Return the dataset; `data` is the folder that files are looked for in."""
    return Dataset(card, {name: read_split(name) for name in COUNTS})


def read_split(name: str) -> Split:
    """Return a split: uint8 images [N, H, W], a label each, and the patient of each image."""
    count = COUNTS[name]
    random = np.random.default_rng(list(COUNTS).index(name))
    labels = np.arange(count) % len(CLASSES)
    phases = random.uniform(0, 2 * np.pi, (count, 1, 1))
    rows, columns = np.mgrid[:SIDE, :SIDE]
    along = np.where(labels[:, None, None] == 0, rows, columns)
    images = 128 + 60 * np.sin(along / 4 + phases) + random.normal(0, 40, (count, SIDE, SIDE))
    return Split(
        ArrayImages(images.clip(0, 255).astype(np.uint8)),
        {"labels": Labels(labels)},
        groups=np.array([f"{name}-{index // 2}" for index in range(count)]),
    )


register_dataset(
    DatasetCard(
        id="my-dataset",
        reader=f"{__name__}:read",
        tasks=("classification",),
        labels="binary",
        classes=CLASSES,
        channels=1,
        resolution=SIDE,
        splits=COUNTS,
        primary={"classification": "auc"},
        version=1,  # to be raised when the images change
    )
)

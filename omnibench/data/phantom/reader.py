"""Draws the phantom's splits, at any size and of any length."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from omnibench.cards import DatasetCard
from omnibench.data import ArrayImages, Dataset, Images, Labels, Masks, Split, Texts
from omnibench.data.noisy_labels import LEARNT, NOISY
from omnibench.data.phantom.canvas import mask
from omnibench.data.phantom.captions import caption
from omnibench.data.phantom.cases import Case, case, stream
from omnibench.data.phantom.modality import ct, mr, radiograph
from omnibench.data.phantom.shapes import Array
from omnibench.data.phantom.ultrasound import ultrasound
from omnibench.data.phantom.views import EASY, PLAIN, Setting

MISSED, MADE_UP = 0.3, 0.1  # of lesions and of images without one, in noisy labels
FORMATION: dict[str, Callable[[Case, int, Generator], Array]] = {
    "CT": ct,
    "MR": mr,
    "ultrasound": ultrasound,
    "radiograph": radiograph,
}


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Draw the splits that the card names, at its resolution; nothing is read from `data_dir`."""
    return _drawn(card, PLAIN)


def read_easy(card: DatasetCard, data_dir: Path) -> Dataset:
    """Draw `phantom-easy` likewise; its patients are none of `phantom`'s."""
    return _drawn(card, EASY, "easy-")


def read_noisy(card: DatasetCard, data_dir: Path) -> Dataset:
    """Draw `phantom-easy` with labels of whether there is a lesion, and flipped ones beside them.

    Of training and validation images a share MISSED of the lesions and MADE_UP of the others has
    the other label, each drawn by itself.
    """
    dataset = _drawn(card, EASY, "easy-")
    splits = {}
    for name, split in dataset.splits.items():
        clean = np.minimum(split.target("labels", Labels).values, 1)
        targets = {"labels": Labels(clean)}
        if name in LEARNT:
            draws = stream(f"easy-{name}", "noisy labels").random(len(split))
            flipped = draws < np.where(clean == 1, MISSED, MADE_UP)
            targets[NOISY] = Labels(np.where(flipped, 1 - clean, clean))
        splits[name] = replace(split, targets=targets)
    return replace(dataset, splits=splits)


def _drawn(card: DatasetCard, setting: Setting, prefix: str = "") -> Dataset:
    size = card.resolution or 64
    splits = {
        name: generate(f"{prefix}{name}", count, size, setting)
        for name, count in card.splits.items()
    }
    digests = {f"{name}_images": digest(split.images) for name, split in splits.items()}
    digests |= {
        f"{name}_masks": digest(split.target("masks", Masks).images)
        for name, split in splits.items()
    }
    return Dataset(card, splits, digests)


@lru_cache(maxsize=6)  # datasets take turns, as that of a pretraining and of its kNN do
def generate(split: str, count: int, size: int, setting: Setting = PLAIN) -> Split:
    """Draw the first `count` images of a split, `size` pixels wide.

    Image i depends on the split's name, i and the size alone; its body, lesion, mask and caption
    are the same at every size, its noise is not. Any name makes a split: other names, other
    patients. One patient's one to three images follow each other.

    Returns:
        A split with images uint8 [count, size, size], labels as indices into `KINDS`, masks of
        the same shape (0 background, 1 organ, 2 lesion), captions, and patients as groups.
    """
    images = np.empty((count, size, size), np.uint8)
    masks = np.empty_like(images)
    cases = [case(split, index, setting) for index in range(count)]
    for shown, image, values in zip(cases, images, masks, strict=True):
        image[:] = draw(shown, size)
        values[:] = mask(shown, size)
    return Split(
        images=ArrayImages(images),
        targets={
            "labels": Labels(np.array([shown.label for shown in cases], np.int64)),
            "masks": Masks(ArrayImages(masks)),
            "captions": Texts(tuple(caption(shown, setting.wordings) for shown in cases)),
        },
        groups=np.array([shown.patient for shown in cases], np.str_),
    )


def draw(shown: Case, size: int) -> NDArray[np.uint8]:
    """Return the image of a case, uint8 [size, size]."""
    noise = stream(shown.name, "noise", size)
    image = FORMATION[shown.view.modality](shown, size, noise)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def digest(images: Images) -> str:
    """Return the hash of an array of images."""
    return f"sha256:{hashlib.sha256(images.read(0, images.shape[0]).data).hexdigest()}"

"""Draws `phantom-volume`: studies of one or two stacks of thin slices through a made-up body."""

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from omnibench.cards import DatasetCard
from omnibench.data import ArrayImages, Dataset, Labels, Masks, Split
from omnibench.data.phantom.bodies import SLICES, Study, study
from omnibench.data.phantom.cases import stream
from omnibench.data.phantom.fields import smooth_volume
from omnibench.data.phantom.modality import quantum_noise
from omnibench.data.phantom.shapes import Array

ROLES = ("", "organ", "lesion")  # in the order of the mask values
WIDTH = 36.0  # of a slice, in cm


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Draw the splits that the card names, at its resolution; nothing is read from `data_dir`."""
    splits = {
        name: generate(name, count, card.resolution or 64) for name, count in card.splits.items()
    }
    digests = {}
    for name, split in splits.items():
        for what, images in (
            ("images", split.images),
            ("masks", split.target("masks", Masks).images),
        ):
            pixels = images.read(0, len(split))
            digests[f"{name}_{what}"] = f"sha256:{hashlib.sha256(pixels.data).hexdigest()}"
    return Dataset(card, splits, digests)


@lru_cache(maxsize=6)  # datasets take turns, as that of a pretraining and of its kNN do
def generate(split: str, count: int, size: int) -> Split:
    """Draw the first `count` studies of a split, `size` pixels wide.

    Study i depends on the split's name, i and the size alone; its body and its masks are the same
    at every size, its noise is not. One patient's one or two studies follow each other.

    Returns:
        A split of uint8 [24 V, size, size] slices, V views of `count` studies: a label for each
        study (whether it has a lesion) and, for each slice, `shown` (whether it shows the lesion)
        and a mask (0 background, 1 organ, 2 lesion).
    """
    studies = [study(split, index) for index in range(count)]
    stacks = [(shown, view) for shown in studies for view in shown.views]
    images = np.empty((len(stacks) * SLICES, size, size), np.uint8)
    masks = np.empty_like(images)
    for number, (shown, view) in enumerate(stacks):
        rows = slice(number * SLICES, (number + 1) * SLICES)
        images[rows], masks[rows] = draw(shown, view, size)
    labels = np.array([shown.form is not None for shown in studies], np.int64)
    return Split(
        images=ArrayImages(images),
        targets={
            "shown": Labels((masks == ROLES.index("lesion")).any(axis=(1, 2)).astype(np.int64)),
            "masks": Masks(ArrayImages(masks)),
        },
        groups=np.repeat([shown.patient for shown, _ in stacks], SLICES),
        study=np.repeat([shown.name for shown, _ in stacks], SLICES),
        view=np.repeat([view for _, view in stacks], SLICES),
        place=np.tile(np.arange(SLICES), len(stacks)),
        by_study={"labels": Labels(labels)},
    )


def draw(shown: Study, view: str, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the slices of a view, uint8 [24, size, size], and their masks.

    Slices are thin: nothing between two of them is seen.
    """
    hounsfield, mask = _cut(shown, view, size)
    noise = stream(shown.name, view, "noise", size)
    hounsfield = hounsfield + quantum_noise(hounsfield, WIDTH, shown.noise, noise)
    window = 400 * (0.85 + 0.3 * shown.gain)
    centre = 80 + 0.1 * window * (2 * shown.level - 1)
    image = np.clip((hounsfield - centre) / window + 0.5, 0, 1)
    return (image * 255 + 0.5).astype(np.uint8), mask


def _cut(shown: Study, view: str, size: int) -> tuple[Array, NDArray[np.uint8]]:
    """Return the Hounsfield units of a view's slices, [24, size, size], and their masks."""
    across, along = _centres(SLICES), _centres(size)
    lines = (across, along, along) if view == "axial" else (along, along, across)
    shape = (len(lines[0]), len(lines[1]), len(lines[2]))
    hounsfield, mask = np.full(shape, -1000.0), np.zeros(shape, np.uint8)
    pixel = 2 / size
    for tissue in shown.tissues:
        ends = zip(lines, *tissue.solid.box, strict=True)
        window = tuple(
            slice(*np.searchsorted(line, (low - pixel, high + pixel))) for line, low, high in ends
        )
        z, y, x = (line[part] for line, part in zip(lines, window, strict=True))
        depth = tissue.solid.depth(z[:, None, None], y[:, None], x)
        share = np.clip(depth / pixel + 0.5, 0, 1)
        hounsfield[window] += share * (tissue.hounsfield - hounsfield[window])
        if tissue.role:
            mask[window][depth > 0] = ROLES.index(tissue.role)
    hounsfield += 10 * smooth_volume(stream(shown.name, "texture"), shape, 16)
    if view == "axial":
        return hounsfield, mask
    return hounsfield.transpose(2, 0, 1), mask.transpose(2, 0, 1)


def _centres(count: int) -> Array:
    return (np.arange(count) + 0.5) * 2 / count - 1

"""Flip, rotation and resized crop of a batch against torchvision on PIL images, one by one."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torchvision import transforms

from omnibench.speed import Measure, best_seconds
from omnibench.training.augment import Augmentation

IMAGES, SIDES, SIZE = 128, (28, 224), 224
# PIL mode -> name and bound. The study's loader is what the figure is held to; one channel, which
# it never reads, shows how much of the ratio is owed to the channels saved.
MODES = {"RGB": ("RGB (the study's loader)", ">= 4"), "L": ("one channel", None)}

OURS = Augmentation(SIZE)
THEIRS = transforms.Compose(
    [
        transforms.RandomHorizontalFlip(OURS.flip),
        transforms.RandomRotation(OURS.degrees),
        transforms.RandomResizedCrop(SIZE, OURS.scale, OURS.ratio),
        transforms.ToTensor(),
    ]
)


def measure(device: str) -> Iterator[Measure]:
    """Yield images a second of both, from small images and from those of the study's size."""
    for side in SIDES:
        images = np.random.default_rng(0).integers(0, 256, (IMAGES, side, side), np.uint8)
        sizes = f"{side} to {SIZE} px"
        ours = IMAGES / best_seconds(partial(_batched, torch.from_numpy(images).to(device)), 40)
        for mode, (name, bound) in MODES.items():
            theirs = IMAGES / best_seconds(partial(_one_by_one, images, mode), 10)
            yield Measure("augment", f"{sizes}: torchvision, {name}", theirs, "images/s")
            yield Measure(
                "augment",
                f"{sizes}: batched, one channel, against torchvision's {name}",
                ours,
                "images/s",
                ours / theirs,
                bound,
            )


def _batched(images: torch.Tensor) -> None:
    """Draw and apply, as in a step of training."""
    count, height, width = images.shape
    OURS.apply(images, OURS.draw(count, height, width, torch.Generator().manual_seed(0)))
    if images.is_cuda:
        torch.cuda.synchronize()


def _one_by_one(images: npt.NDArray[np.uint8], mode: str) -> None:
    for image in images:
        THEIRS(Image.fromarray(image).convert(mode))

"""Measure flip, rotation and resized crop of a batch against torchvision on PIL images."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torchvision import transforms

from benchmarks import Measure, best_seconds
from omnibench.training.augment import Augmentation

IMAGES, SIDES, SIZE = 128, (28, 224), 224
# PIL mode -> name and bound. The study's loader is what the figure is held to; one channel, which
# it never reads, shows how much of the ratio is owed to the channels saved.
MODES = {"RGB": ("RGB (the study's loader)", ">= 4"), "L": ("one channel", None)}

AUGMENTATION = Augmentation(SIZE)
TORCHVISION = transforms.Compose(
    [
        transforms.RandomHorizontalFlip(AUGMENTATION.flip),
        transforms.RandomRotation(AUGMENTATION.degrees),
        transforms.RandomResizedCrop(SIZE, AUGMENTATION.scale, AUGMENTATION.ratio),
        transforms.ToTensor(),
    ]
)


def measure(device: str) -> Iterator[Measure]:
    """Yield images a second of both, from small images and from those of the study's size."""
    for side in SIDES:
        images = np.random.default_rng(0).integers(0, 256, (IMAGES, side, side), np.uint8)
        sizes = f"{side} to {SIZE} px"
        batched = IMAGES / best_seconds(partial(_batched, torch.from_numpy(images).to(device)), 40)
        for mode, (name, bound) in MODES.items():
            plain = IMAGES / best_seconds(partial(_one_by_one, images, mode), 10)
            yield Measure("augment", f"{sizes}: torchvision, {name}", plain, "images/s")
            yield Measure(
                "augment",
                f"{sizes}: batched, one channel, against torchvision's {name}",
                batched,
                "images/s",
                batched / plain,
                bound,
            )


def _batched(images: torch.Tensor) -> None:
    """Draw and apply the augmentation, as in a step of training."""
    count, height, width = images.shape
    AUGMENTATION.apply(
        images, AUGMENTATION.draw(count, height, width, torch.Generator().manual_seed(0))
    )
    if images.is_cuda:
        torch.cuda.synchronize()


def _one_by_one(images: npt.NDArray[np.uint8], mode: str) -> None:
    for image in images:
        TORCHVISION(Image.fromarray(image).convert(mode))

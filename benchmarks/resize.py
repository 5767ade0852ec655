"""Measure resizing 28 to 224 pixels: one channel of a batch against Pillow, image by image."""

from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image

from benchmarks import Measure, best_seconds
from omnibench.data.resize import resize

IMAGES, SMALL, LARGE = 512, 28, 224


def measure(device: str) -> Iterator[Measure]:
    """Yield images a second of both."""
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, SMALL, SMALL), np.uint8)
    batch = torch.from_numpy(images)

    def batched() -> None:
        # In blocks that stay in cache, as the encoders are given them.
        for start in range(0, IMAGES, 16):
            resize(batch[start : start + 16, None].to(device).float(), LARGE)
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    def pillow(mode: str) -> None:
        for image in images:
            Image.fromarray(image).convert(mode).resize((LARGE, LARGE), Image.Resampling.BILINEAR)

    rate, grey = (IMAGES / best_seconds(work, 20) for work in (batched, lambda: pillow("L")))
    colour = IMAGES / best_seconds(lambda: pillow("RGB"))
    yield Measure("resize", "Pillow, RGB, one by one (the study's loader)", colour, "images/s")
    yield Measure("resize", "Pillow, one channel, one by one", grey, "images/s")
    yield Measure(
        "resize",
        "batched, one channel, against Pillow's one channel",
        rate,
        "images/s",
        rate / grey,
        ">= 5",
    )

"""timm's augmentation of training images, every draw of which follows from a seed an image."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from timm.data import auto_augment
from timm.data.transforms_factory import create_transform
from torch import Tensor

from omnibench.cards import Channels


class TimmAugmentation:
    """Crop, flip, RandAugment, normalisation and erasing, one image after the other on the CPU.

    Args:
        size: side of the square put out, in pixels.
        flip: probability of a horizontal flip.
        crop_scale: smallest share of the image's area that a crop keeps.
        policy: of RandAugment (Cubuk et al. 2020), as timm writes it; None for none.
        erasing: probability that a box becomes noise (Zhong et al. 2020).
        mean, std: the normalisation, for images scaled to 0..1.
    """

    def __init__(
        self,
        size: int,
        flip: float,
        crop_scale: float,
        policy: str | None,
        erasing: float,
        mean: Channels,
        std: Channels,
    ) -> None:
        create: Any = create_transform  # whose types know no `color_jitter` of None
        self.transform = create(
            size,
            is_training=True,
            scale=(crop_scale, 1.0),
            hflip=flip,
            color_jitter=None,
            auto_augment=policy,
            interpolation="bicubic",
            mean=mean,
            std=std,
            re_prob=erasing,
            re_mode="pixel",
            re_count=1,
        )
        for step in self.transform.transforms:
            for operation in getattr(step, "ops", ()):
                if operation.aug_fn is auto_augment.posterize:
                    operation.aug_fn = posterized

    def __call__(self, images: NDArray[np.uint8], seeds: Sequence[int]) -> Tensor:
        """Return float32 [B, 3, size, size], normalised, of [B, H, W] or [B, H, W, 3].

        Args:
            seeds: one an image; the same image under the same seed has the same bits.
        """
        with _generators_restored():
            return torch.stack([self._augmented(*pair) for pair in zip(images, seeds, strict=True)])

    def _augmented(self, image: NDArray[np.uint8], seed: int) -> Tensor:
        # timm draws by the global generators of all three.
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        torch.default_generator.manual_seed(seed)
        pixels: Tensor = self.transform(Image.fromarray(image).convert("RGB"))
        return pixels


def posterized(image: Image.Image, bits: int, **options: Any) -> Image.Image:
    """Keep so many bits of each channel, as timm does; of none a black image is left.

    timm draws 0 bits too, for which Pillow 13 and newer raise an error.
    """
    if bits == 0:
        return Image.new(image.mode, image.size)
    posterize: Any = auto_augment.posterize  # which has no types
    reduced: Image.Image = posterize(image, bits, **options)
    return reduced


@contextmanager
def _generators_restored() -> Iterator[None]:
    """Leave the global generators as they were."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002

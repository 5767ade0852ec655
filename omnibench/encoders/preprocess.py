"""uint8 images to what a backbone expects: resized and normalised, batched, on the device."""

from dataclasses import dataclass

import torch
from torch import Tensor

from omnibench.data.resize import resize
from omnibench.errors import DataError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocess:
    """Resizing and normalisation of one backbone under one recipe.

    Attributes:
        size: side of the square the backbone sees, in pixels.
        mean, std: of images scaled to 0..1, a value a channel.
        dtype: of what the backbone is given.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    device: torch.device
    dtype: torch.dtype

    def __call__(self, images: Tensor) -> Tensor:
        """Turn uint8 [B, H, W] or [B, H, W, 3] into [B, 3, size, size].

        Grey images are resized as one channel and spread to three only by the normalisation.

        Raises:
            DataError: another dtype or another number of channels.
        """
        if images.dtype != torch.uint8:
            raise DataError(f"images are {images.dtype}, not uint8; convert them before encoding")
        if images.ndim == 3:
            channels = images[:, None]
        elif images.ndim == 4 and images.shape[-1] == 3:
            channels = images.permute(0, 3, 1, 2)
        else:
            raise DataError(
                f"images of shape {tuple(images.shape)} are neither [B, H, W] nor [B, H, W, 3]"
            )
        return self.normalise(resize(channels.to(self.device).float(), self.size))

    def of_volumes(self, volumes: Tensor) -> Tensor:
        """Turn uint8 [B, Z, H, W] or [B, Z, H, W, 3] into [B, 3, Z, size, size], slice by slice.

        Raises:
            DataError: as of images.
        """
        slices = self(volumes.flatten(0, 1)).unflatten(0, volumes.shape[:2])
        pixels: Tensor = slices.transpose(1, 2)
        return pixels

    def normalise(self, pixels: Tensor) -> Tensor:
        """Turn float [B, 1 or 3, S, S] of 0..255 into what the backbone takes, [B, 3, S, S]."""
        mean = torch.tensor(self.mean, device=self.device).view(1, 3, 1, 1) * 255
        std = torch.tensor(self.std, device=self.device).view(1, 3, 1, 1) * 255
        return ((pixels - mean) / std).to(self.dtype)

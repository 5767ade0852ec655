"""How well a masked autoencoder restores images that it is not trained on."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.training.precision import autocast
from omnibench.training.random import stream

from .masked_autoencoder import MaskedAutoencoder
from .patches import draw_noise, patchify, reconstruction_losses, statistics

MOST = 500  # images: enough to see a course


class Validation:
    """Masks each image once and for all, the same in every training.

    Args:
        images: uint8 [n, S, S], or volumes [n, Z, S, S].
        patches: of each.
        normalise: turns float images [b, 1, *sides] of 0..255 into what the encoder sees.
        std: by which it divides images scaled to 0..1, a value a channel.
        batch: images a forward pass.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        patches: int,
        normalise: Callable[[Tensor], Tensor],
        std: tuple[float, float, float],
        precision: str,
        device: str,
        batch: int,
    ) -> None:
        self.images = torch.from_numpy(images)[:, None]
        self.noise = draw_noise(len(images), patches, stream(0, "validation"))
        self.normalise, self.std = normalise, std
        self.precision, self.device, self.batch = precision, device, batch

    @torch.inference_mode()
    def evaluate(self, model: MaskedAutoencoder) -> dict[str, float | None]:
        """Return val_loss, the mean loss, and val_psnr, the mean PSNR of hidden pixels in dB.

        PSNR is 10 log10(1 / MSE) of images scaled to 0..1. Where patches are normalised, a restored
        one is given its true mean and deviation. An image without an error has none and is left
        out; it is None where no image has one.
        """
        losses, errors = [], []
        for start in range(0, len(self.images), self.batch):
            part = slice(start, start + self.batch)
            shown = self.images[part].to(self.device).float()
            pixels, noise = self.normalise(shown), self.noise[part].to(self.device)
            with autocast(self.precision, self.device):
                restored = model(pixels, noise)
            aims = model.target(pixels, shown)
            losses.append(reconstruction_losses(restored.predictions, aims, restored.masked))
            differences = restored.predictions.float() - aims
            if model.options.norm_pixels:
                differences = differences * statistics(patchify(pixels, model.patch))[1]
            if model.options.head == "linear":
                std = torch.tensor(self.std, device=differences.device)
                differences = (differences.unflatten(-1, (-1, len(std))) * std).flatten(-2)
            errors.append(
                reconstruction_losses(differences, torch.zeros_like(aims), restored.masked)
            )
        error = torch.cat(errors).double()
        psnr = -10 * error[error > 0].log10()
        return {
            "val_loss": float(torch.cat(losses).double().mean()),
            "val_psnr": float(psnr.mean()) if len(psnr) else None,
        }

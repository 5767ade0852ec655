"""Images to corrupt."""

import numpy as np
from numpy.typing import NDArray


def images(count: int = 3, channels: int = 1, side: int = 32) -> NDArray[np.uint8]:
    """Return images whose spectrum falls as natural ones' does: uint8 [count, side, side(, 3)]."""
    shape = (count, channels, side, side)
    noise = np.fft.fft2(np.random.default_rng(0).normal(size=shape))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    field = np.fft.ifft2(noise / np.maximum(frequency, 1 / side) ** 1.2).real
    field = 110 + 45 * field / field.std(axis=(2, 3), keepdims=True)
    batch: NDArray[np.uint8] = field.clip(0, 255).astype(np.uint8)
    return batch.transpose(0, 2, 3, 1) if channels == 3 else batch[:, 0]

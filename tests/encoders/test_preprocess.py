import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from omnibench.data.resize import resize
from omnibench.encoders.preprocess import Preprocess
from omnibench.errors import DataError

GREY = torch.randint(
    0, 256, (3, 28, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


@pytest.mark.parametrize("size", [224, 64, 12])
def test_resizing_equals_pillows_bilinear(size: int) -> None:
    ours = resize(GREY[:, None].float(), size)[:, 0]
    for image, resized in zip(GREY, ours, strict=True):
        pillow = Image.fromarray(image.numpy()).resize((size, size), Image.Resampling.BILINEAR)
        # Pillow rounds between its two passes and at the end.
        assert np.abs(np.asarray(pillow, float) - resized.numpy()).max() <= 1.01


def test_grey_and_rgb_are_normalised_by_channel() -> None:
    prepare = Preprocess(28, MEAN, STD, torch.device("cpu"), torch.float32)
    square = GREY[:, :20, :]
    out = Preprocess(20, MEAN, STD, torch.device("cpu"), torch.float32)(square)
    expected = (square.double() / 255)[:, None] - torch.tensor(MEAN).double().view(1, 3, 1, 1)
    expected = expected / torch.tensor(STD).double().view(1, 3, 1, 1)
    assert torch.allclose(out.double(), expected, atol=1e-5)
    colour = square[..., None].expand(-1, -1, -1, 3)
    assert torch.allclose(prepare(colour), prepare(square), atol=1e-5)


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(2, 8, 8),
        torch.zeros(2, 8, 8, 4, dtype=torch.uint8),
        torch.zeros(8, 8, dtype=torch.uint8),
    ],
)
def test_other_types_and_channel_counts_are_refused(images: Tensor) -> None:
    with pytest.raises(DataError):
        Preprocess(8, MEAN, STD, torch.device("cpu"), torch.float32)(images)

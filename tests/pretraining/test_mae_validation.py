"""What restored images are judged by, against the images put together again."""

import numpy as np
import pytest
import torch

from omnibench.encoders.preprocess import Preprocess
from omnibench.tasks.pretraining.mae_validation import Validation
from omnibench.tasks.pretraining.patches import patchify, unpatchify
from tests.pretraining.test_masked_autoencoder import PATCH, SIDE, autoencoder

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
GRID = (SIDE // PATCH,) * 2


@pytest.mark.parametrize(
    "options",
    [{}, {"norm_pixels": False}, {"norm_pixels": False, "head": "sigmoid"}],
    ids=["normalised", "plain", "sigmoid"],
)
def test_psnr_is_that_of_hidden_pixels_of_whole_images(options: dict[str, object]) -> None:
    model = autoencoder(**options)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, SIDE, SIDE), dtype=np.uint8)
    images[2] //= 4
    preprocess = Preprocess(SIDE, MEAN, STD, torch.device("cpu"), torch.float32)
    validation = Validation(images, 16, preprocess.normalise, STD, "fp32", "cpu", batch=2)
    actual = validation.evaluate(model)

    pixels = preprocess(torch.from_numpy(images))
    with torch.no_grad():
        restored = model(pixels, validation.noise)
    predictions, patches = restored.predictions.double(), patchify(pixels, (PATCH, PATCH)).double()
    if model.options.norm_pixels:
        spread = patches.var(dim=-1, keepdim=True).add(1e-6).sqrt()
        predictions = predictions * spread + patches.mean(dim=-1, keepdim=True)
    whole = unpatchify(predictions, GRID, (PATCH, PATCH))
    if model.options.head == "linear":
        channels = (3, 1, 1)
        whole = whole * torch.tensor(STD).view(channels) + torch.tensor(MEAN).view(channels)
    hidden = unpatchify(
        restored.masked[..., None].expand(-1, -1, 3 * PATCH * PATCH), GRID, (PATCH, PATCH)
    )
    truth = torch.from_numpy(images)[:, None].double().expand_as(whole) / 255
    errors = [((w - t)[h] ** 2).mean() for w, t, h in zip(whole, truth, hidden, strict=True)]
    psnr = np.mean([10 * np.log10(1 / error.item()) for error in errors])
    assert actual["val_psnr"] == pytest.approx(psnr, abs=1e-4)
    if model.options.head == "sigmoid":
        assert actual["val_loss"] == pytest.approx(np.mean(errors), rel=1e-5)
    assert validation.evaluate(model) == actual


def test_an_image_without_an_error_has_no_psnr(monkeypatch: pytest.MonkeyPatch) -> None:
    model = autoencoder(norm_pixels=False)
    images = np.full((2, SIDE, SIDE), 90, np.uint8)
    preprocess = Preprocess(SIDE, MEAN, STD, torch.device("cpu"), torch.float32)
    validation = Validation(images, 16, preprocess.normalise, STD, "fp32", "cpu", batch=2)
    forward = model.forward

    def exact(pixels: torch.Tensor, noise: torch.Tensor) -> object:
        restored = forward(pixels, noise)
        return type(restored)(model.target(pixels, pixels), restored.masked, restored.features)

    monkeypatch.setattr(model, "forward", exact)
    assert validation.evaluate(model) == {"val_loss": 0.0, "val_psnr": None}

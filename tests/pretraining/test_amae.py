"""The masked autoencoder of several contrasts against its formulas, patch by patch."""

from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import Tensor

from omnibench.catalogue import backbones, datasets
from omnibench.cell import Unit
from omnibench.tasks.pretraining import PretrainingTask
from omnibench.tasks.pretraining.amae import ContrastAutoencoder
from omnibench.tasks.pretraining.amae_options import SMALL_AMAE, AmaeOptions
from omnibench.tasks.pretraining.patches import normalised, reconstruction_losses

SIZE, GRID = 64, 16  # patches of 16 px
OPTIONS = AmaeOptions(decoder_width=16, decoder_depth=1, decoder_heads=2)


@pytest.fixture
def model() -> ContrastAutoencoder:
    torch.manual_seed(0)
    vit = timm.create_model("test_vit", img_size=SIZE, depth=2, num_classes=0)
    own = ContrastAutoencoder(vit, 3, OPTIONS).eval()
    torch.nn.init.normal_(own.encoder.tokenize.codes, std=0.5)
    return own


def pixels(contrasts: int) -> Tensor:
    grey = torch.randn(2, contrasts, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    return grey.expand(-1, -1, 3, -1, -1)


def drawn(contrasts: int) -> Tensor:
    return torch.rand(2, contrasts * GRID, generator=torch.Generator().manual_seed(2))


def test_the_loss_is_the_mean_error_of_hidden_patches(model: ContrastAutoencoder) -> None:
    images, noise = pixels(2), drawn(2)
    predictions: list[Tensor] = []
    model.restore.register_forward_hook(lambda *given: predictions.append(given[2]))
    with torch.no_grad():
        losses, _ = model(images, [0, 2], noise)
    for study in range(2):
        hidden = sorted(range(2 * GRID), key=lambda place: noise[study, place].item())[8:]
        errors = []
        for place in hidden:
            contrast, (row, column) = place // GRID, divmod(place % GRID, 4)
            patch = images[study, contrast, 0, 16 * row :, 16 * column :][:16, :16]
            values = patch.double().numpy()
            target = (values - values.mean()) / np.sqrt(values.var(ddof=1) + 1e-6)
            restored = predictions[0][study, place].view(16, 16).numpy()
            errors.append(((restored - target) ** 2).mean())
        assert len(errors) == 24  # three quarters of those of both contrasts
        assert losses[study].item() == pytest.approx(np.mean(errors), rel=1e-5)


def test_only_hidden_patches_are_judged_and_only_visible_ones_seen(
    model: ContrastAutoencoder,
) -> None:
    images, noise = pixels(2), drawn(2)
    hidden = noise.argsort(dim=1)[:, 8:]
    changed = images.clone()
    for study in range(2):
        place = int(hidden[study, 0])
        row, column = divmod(place % GRID, 4)
        part = changed[study, place // GRID, :, 16 * row : 16 * row + 16]
        part[..., 16 * column : 16 * column + 16] = 5 * torch.rand(16, 16)
    with torch.no_grad():
        losses, seen = model(images, [0, 2], noise)
        others, same = model(changed, [0, 2], noise)
    assert torch.equal(seen, same)
    assert not torch.allclose(losses, others)
    predictions, targets = torch.randn(2, 2, 6, 4)
    masked = torch.tensor([[True, False, True, False, True, True]] * 2)
    whole = reconstruction_losses(predictions, targets, masked)
    predictions[:, 1] += 7
    assert torch.equal(whole, reconstruction_losses(predictions, targets, masked))


def test_which_contrast_a_patch_is_of_matters(model: ContrastAutoencoder) -> None:
    images, noise = pixels(2), drawn(2)
    with torch.no_grad():
        assert not torch.allclose(
            model(images, [0, 1], noise)[0], model(images, [0, 2], noise)[0], rtol=1e-6
        )


def test_a_flat_patch_is_normalised_to_zero() -> None:
    assert normalised(torch.full((1, 2, 9), 3.0)).eq(0).all()


@pytest.mark.parametrize(
    ("dataset", "backbone", "size", "sentence"),
    [
        ("mni152", "random-vit-nano", 160, "its studies have one contrast"),
        ("mni152-contrasts", "random-efficientnet-lite0", 160, "no plain vision transformer"),
        ("mni152-contrasts", "random-vit-nano", 16, "is the side of one patch"),
    ],
)
def test_what_amae_cannot_train_on_is_refused(
    dataset: str, backbone: str, size: int, sentence: str
) -> None:
    unit = Unit(
        task="pretraining",
        dataset=datasets.get(dataset),
        backbone=backbones.get(backbone),
        adaptation="amae",
        short="amae",
        options=OPTIONS.model_dump(),
        recipe=SMALL_AMAE.model_dump() | {"input_size": size},
        suite_seed=0,
        sources={"dataset": "x", "backbone": "y"},
        repetitions=(0,),
    )
    refusals: Any = list(PretrainingTask().refusals(unit, {}))
    assert len(refusals) == 1
    assert sentence in refusals[0]

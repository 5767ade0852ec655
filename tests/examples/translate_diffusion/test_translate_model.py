"""The model on small maps: its latents, its loss by hand, its samples and what it refuses."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import translate_model
from translate_model import DRAWS, LATENTS, PATCH, SAMPLES, Diffusion, Latents, attach

from omnibench import ArrayImages, Batch, Dataset, DatasetCard, MapInputs, Maps, Split, errors

SIDE, COUNT = 16, 40
CARD = DatasetCard.model_validate(
    {
        "id": "ramps",
        "reader": "nowhere:read",
        "tasks": ["dense"],
        "maps": {"unit": "share", "range": [0, 1]},
        "splits": {"train": COUNT, "val": 4, "test": 4},
    }
)


def split(count: int, seed: int) -> Split:
    random = np.random.default_rng(seed)
    maps = random.random((count, SIDE, SIDE), np.float32)
    return Split(ArrayImages((255 * maps).astype(np.uint8)), {"maps": Maps(ArrayImages(maps))})


@pytest.fixture(scope="module")
def inputs() -> MapInputs:
    splits = {name: split(n, seed) for seed, (name, n) in enumerate(CARD.splits.items())}

    def read(name: str, rows: Any) -> list[torch.Tensor]:
        grey = torch.from_numpy(splits[name].images.read_rows(rows)).float()
        return [grey[:, None, ::4, ::4], grey[:, None, ::8, ::8]]

    maps: Any = SimpleNamespace(read=read)
    return MapInputs(Dataset(CARD, splits), maps, seed=7, device="cpu")


@pytest.fixture
def model(inputs: MapInputs) -> Diffusion:
    torch.manual_seed(0)
    return attach(inputs, {"wisl": True})


def batch(places: slice = slice(0, 4), step: int = 3) -> Batch:
    whole = torch.tensor([2, 5, 11, 7])
    return Batch(step, whole[places], torch.arange(4)[places], whole)


def test_latents_are_the_principal_components_of_patches(inputs: MapInputs) -> None:
    rows = np.arange(COUNT)
    maps = inputs.dataset.target("train", "maps", Maps).read_rows(rows)[0]
    latents = Latents(torch.from_numpy(maps))
    encoded = latents.encode(torch.from_numpy(maps))
    flat = encoded.movedim(1, -1).flatten(0, 2)
    torch.testing.assert_close(torch.cov(flat.T), torch.eye(LATENTS), atol=1e-3, rtol=0)
    blocks = maps.reshape(COUNT, 2, PATCH, 2, PATCH).transpose(0, 1, 3, 2, 4).reshape(-1, PATCH**2)
    centred = blocks - blocks.mean(axis=0)
    axes = np.linalg.svd(centred.astype(np.float64), full_matrices=False)[2][:LATENTS]
    expected = centred @ axes.T @ axes + blocks.mean(axis=0)
    decoded = latents.decode(encoded).detach().numpy()
    actual = decoded.reshape(COUNT, 2, PATCH, 2, PATCH).transpose(0, 1, 3, 2, 4)
    np.testing.assert_allclose(actual.reshape(expected.shape), expected, atol=1e-4)


@pytest.mark.parametrize("wisl", [True, False])
def test_the_loss_is_that_of_the_velocity_and_the_weighted_image(
    inputs: MapInputs, wisl: bool
) -> None:
    torch.manual_seed(0)
    model = attach(inputs, {"wisl": wisl})
    torch.nn.init.zeros_(model.network.last.bias)  # type: ignore[arg-type]
    # The velocity is 0 now, so that the estimate of a clean latent is sqrt(a) z_t.
    random = np.random.default_rng([7, translate_model.TRAINING, 3])
    times = random.integers(1000, size=(4, DRAWS)).flatten()
    noise = random.standard_normal((4, DRAWS, LATENTS, 2, 2)).reshape(-1, LATENTS, 2, 2)
    truth = model.truth(batch().whole.numpy()).repeat_interleave(DRAWS, dim=0)
    clean = model.latents.encode(truth).numpy()
    betas = np.linspace(0.0015**0.5, 0.0205**0.5, 1000) ** 2
    share = np.cumprod(1 - betas)[times][:, None, None, None]
    noisy = np.sqrt(share) * clean + np.sqrt(1 - share) * noise
    expected = np.square(np.sqrt(share) * noise - np.sqrt(1 - share) * clean).mean()
    if wisl:
        image = model.latents.decode(torch.from_numpy(np.sqrt(share) * noisy).float())
        off = np.abs(image.detach().numpy() - truth.numpy()).mean(axis=(1, 2))
        expected += ((1000 - times) / 1000 * off).mean() / model.spread
    assert model.loss(batch()).item() == pytest.approx(expected, rel=1e-4)
    assert model.latents.decoder.requires_grad == wisl


def test_the_loss_of_parts_is_that_of_the_batch(model: Diffusion) -> None:
    parts = [model.loss(batch(part)).item() for part in (slice(0, 3), slice(3, 4))]
    assert sum(parts) == pytest.approx(model.loss(batch()).item(), rel=1e-5)
    assert model.loss(batch(step=4)).item() != model.loss(batch()).item()


@torch.no_grad()
def test_an_image_has_the_same_samples_alone_and_in_company(model: Diffusion) -> None:
    torch.nn.init.normal_(model.network.last.weight, std=0.1)
    alone, company = (model.predict("test", np.array(rows)) for rows in ([2], [0, 2]))
    for name, maps in alone.views.items():
        np.testing.assert_array_equal(maps[0], company.views[name][1])
    assert alone.stored["spread"][0] == company.stored["spread"][1] > 0


@torch.no_grad()
def test_views_are_averages_of_the_first_samples(model: Diffusion) -> None:
    torch.nn.init.normal_(model.network.last.weight, std=0.1)
    given, samples = model.predict("test", np.array([1])), model.samples("test", 1)
    decoded = model.latents.decode(samples).numpy()
    for count in (1, 4, 16, SAMPLES):
        expected = decoded[:count].mean(axis=0)
        np.testing.assert_allclose(given.views[f"m{count}"][0], expected, atol=1e-5)
    np.testing.assert_array_equal(given.maps, given.views[f"m{SAMPLES}"])
    spread = decoded.std(axis=0, ddof=1).mean()
    assert given.stored["spread"][0] == pytest.approx(spread, rel=1e-5)


def test_maps_that_do_not_part_into_patches_are_refused(inputs: MapInputs) -> None:
    small = {
        name: replace(
            own, targets={"maps": Maps(ArrayImages(np.zeros((len(own), 12, 12), np.float32)))}
        )
        for name, own in inputs.dataset.splits.items()
    }
    with pytest.raises(errors.DataError, match=r"are \[12, 12\]: use `decoder`"):
        attach(replace(inputs, dataset=Dataset(CARD, small)), {"wisl": True})

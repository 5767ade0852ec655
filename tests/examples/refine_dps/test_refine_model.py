"""The model on few bodies: its loss by hand, its answers, and what it refuses."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from refine_lesions import BLOCK, SIDE, read
from refine_model import TRAINING, Refined, attach
from refine_solver import LEVELS, SHARES, block_means

from omnibench import ArrayImages, Batch, DatasetCard, MapInputs, errors

CARD = DatasetCard.model_validate(
    {
        "id": "bodies",
        "reader": "refine_lesions:read",
        "tasks": ["dense"],
        "maps": {"unit": "share", "range": [0, 1], "structure": 0.75, "block": BLOCK},
        "splits": {"train": 12, "val": 2, "test": 3},
    }
)


@pytest.fixture(scope="module")
def inputs() -> MapInputs:
    data = read(CARD, Path())

    def levels(name: str, rows: Any) -> list[torch.Tensor]:
        grey = torch.from_numpy(data.splits[name].images.read_rows(rows)).float()
        return [grey[:, None, ::4, ::4], grey[:, None, ::8, ::8]]

    maps: Any = SimpleNamespace(read=levels)
    return MapInputs(data, maps, seed=5, device="cpu")


@pytest.fixture(scope="module")
def model(inputs: MapInputs) -> Refined:
    torch.manual_seed(0)
    return attach(inputs, {"operator": "same"})


def batch(places: slice = slice(0, 4)) -> Batch:
    whole = torch.tensor([2, 5, 11, 7])
    return Batch(3, whole[places], torch.arange(4)[places], whole)


def test_images_show_the_means_of_blocks_and_lesions_are_the_structures(inputs: MapInputs) -> None:
    split = inputs.dataset.splits["train"]
    rows = np.arange(len(split))
    maps: Any = split.targets["maps"]
    values = maps.read_rows(rows)[0]
    means = values.reshape(12, SIDE // BLOCK, BLOCK, SIDE // BLOCK, BLOCK).mean(axis=(2, 4))
    shown = split.images.read_rows(rows)[:, ::BLOCK, ::BLOCK] / 255
    np.testing.assert_allclose(shown, means, atol=0.5 / 255 + 1e-6)
    assert {0.0, np.float32(0.35)} < set(values.ravel())
    assert (values[values > 0.75] == np.float32(0.9)).all()


@torch.no_grad()
def test_the_loss_is_that_of_the_head_and_the_velocity(model: Refined) -> None:
    random = np.random.default_rng([5, TRAINING, 3])
    levels = torch.from_numpy(random.integers(LEVELS, size=4))
    noise = torch.from_numpy(random.standard_normal((4, SIDE, SIDE))).float()
    rows = batch().rows.numpy()
    truth = model.truth[batch().whole]
    share = SHARES[levels].float()[:, None, None]
    noisy = share.sqrt() * truth + (1 - share).sqrt() * noise
    velocity = (noise - (1 - share).sqrt() * noisy) / share.sqrt()
    expected = (model.denoiser(noisy, levels) - velocity).square().mean()
    expected += (model.predicted("train", rows) - truth).abs().mean()
    assert model.loss(batch()).item() == pytest.approx(expected.item(), rel=1e-4)
    parts = [model.loss(batch(part)).item() for part in (slice(0, 3), slice(3, 4))]
    assert sum(parts) == pytest.approx(expected.item(), rel=1e-4)


@torch.no_grad()
def test_an_image_is_refined_alike_alone_and_in_company(model: Refined) -> None:
    alone, company = (model.predict("test", np.array(rows)) for rows in ([2], [0, 2]))
    np.testing.assert_array_equal(alone.maps[0], company.maps[1])
    assert 1 <= alone.stored["steps"][0] <= LEVELS
    measured = block_means(model.images("test", np.array([2])), BLOCK)
    projected = (torch.from_numpy(alone.views["projected"]) - model.mean) / model.std
    shown = block_means(projected, BLOCK)
    torch.testing.assert_close(shown, measured, atol=1e-4, rtol=1e-4)
    assert not np.array_equal(alone.maps, alone.views["before"])


def test_pixels_that_are_not_known_are_refused(inputs: MapInputs) -> None:
    train = inputs.dataset.splits["train"]
    maps: Any = train.targets["maps"]
    holes = ArrayImages(np.zeros((12, SIDE, SIDE), bool))
    splits = {
        **inputs.dataset.splits,
        "train": replace(train, targets={"maps": replace(maps, valid=holes)}),
    }
    other = replace(inputs, dataset=replace(inputs.dataset, splits=splits))
    with pytest.raises(errors.DataError, match="bodies has others: use `decoder`"):
        attach(other, {"operator": "same"})

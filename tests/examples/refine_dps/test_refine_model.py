"""The model on few bodies: its loss by hand, its answers, and what it refuses."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from refine_lesions import BLOCK, MAPS, SIDE, read
from refine_lesions import CARD as LESIONS
from refine_model import TRAINING, Refined, attach
from refine_solver import LEVELS, SHARES, block_means

from omnibench import ArrayImages, Batch, DatasetCard, MapAnswers, MapInputs, errors
from omnibench.tasks.dense.measures import STRUCTURES, structures

STEPS = 80  # of training
STRUCTURE: Any = MAPS["structure"]  # what lesions exceed, and nothing else
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


@pytest.fixture(scope="module")
def refined() -> tuple[MapAnswers, Any]:
    """Answers of a trained denoiser to a prediction that leaves all lesions out, and the truth.

    By how much a trained head misses the data is chance, so none is trained here.
    """
    data = read(LESIONS, Path())
    maps: Any = SimpleNamespace(read=lambda _, rows: [torch.zeros(len(rows), 1, 8, 8)])
    torch.manual_seed(0)
    model = attach(MapInputs(data, maps, seed=0, device="cpu"), {"operator": "same"})
    optimizer = torch.optim.AdamW(model.denoiser.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 8e-3, STEPS)
    for step, rows in enumerate(torch.randint(len(model.truth), (STEPS, 16))):
        optimizer.zero_grad()
        model.loss(Batch(step, rows, torch.arange(len(rows)), rows)).backward()
        optimizer.step()
        schedule.step()
    target: Any = data.splits["test"].targets["maps"]
    truth = target.read_rows(np.arange(len(data.splits["test"])))[0]
    ill = np.flatnonzero((truth > STRUCTURE).any(axis=(1, 2)))[:8]
    body = torch.from_numpy(np.where(truth > STRUCTURE, np.float32(0.35), truth))
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(model, "predicted", lambda _, rows: (body[rows] - model.mean) / model.std)
        return model.predict("test", ill), truth[ill]


def test_refining_fits_what_the_image_shows(refined: Any) -> None:
    answers, truth = refined
    after, before = (
        np.linalg.norm(block_means(torch.from_numpy(maps - truth), BLOCK), axis=(1, 2))
        for maps in (answers.maps, answers.views["before"])
    )
    assert (after < 0.3 * before).all()


def test_refining_finds_lesions_that_the_prediction_misses(refined: Any) -> None:
    answers, truth = refined
    after, before = (
        np.sum(
            [structures(*pair) for pair in zip(maps > STRUCTURE, truth > STRUCTURE, strict=True)],
            axis=0,
        )
        for maps in (answers.maps, answers.views["before"])
    )
    lesions, missed = STRUCTURES.index("true"), STRUCTURES.index("missed")
    assert before[missed] == before[lesions] == after[lesions]
    assert after[missed] < 0.5 * before[missed]


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

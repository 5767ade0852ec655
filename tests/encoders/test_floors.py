"""Floors: each number of their vectors, and what plan, records and a report make of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from omnibench.architecture import architecture_of, completed, needs_of_backbone
from omnibench.architecture.floors import FLOORS, is_floor
from omnibench.cards import BackboneCard
from omnibench.catalogue import backbones, tasks
from omnibench.context import Context
from omnibench.encoders.build import load_encoder
from omnibench.encoders.floors import ImageStatistics, Pixels, RandomConv
from omnibench.execute import execute_unit
from omnibench.frames import values_of
from omnibench.sources import Sources
from omnibench.store import RecordStore
from omnibench.suite import load
from tests.classification.test_runner import write_npz

NAMES = ("pixels", "image-statistics", "random-conv")
RECIPE = {"input_size": 56, "normalization": "backbone", "precision": "fp32"}


def images(count: int = 2, side: int = 56) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def encoder(card: BackboneCard, tmp_path: Path) -> Any:
    return load_encoder(card, RECIPE, "cpu", tmp_path, tmp_path).encoder


def test_pixels_are_means_of_the_images_own() -> None:
    pixels = images()
    blocks = pixels.numpy().reshape(2, 3, 28, 2, 28, 2).mean(axis=(3, 5))
    assert Pixels()(pixels).numpy() == pytest.approx(blocks.reshape(2, -1), abs=1e-6)


def test_statistics_are_those_of_scipy_and_numpy() -> None:
    pixels = images()
    for image, vector in zip(pixels.numpy(), ImageStatistics()(pixels).numpy(), strict=True):
        channels = image.reshape(3, -1).astype(np.float64)
        moments = [
            *channels.mean(axis=1),
            *channels.std(axis=1),
            *stats.skew(channels, axis=1),
            *stats.kurtosis(channels, axis=1, fisher=False),
        ]
        assert vector[:12] == pytest.approx(moments, abs=1e-4)
        grey = image.mean(axis=0)
        levels = np.histogram(grey, np.linspace(-3, 3, 49))[0] / grey.size
        assert vector[12:60] == pytest.approx(levels, abs=1e-6)
        across, down = (ndimage.sobel(grey.astype(np.float64), axis) / 8 for axis in (1, 0))
        length = np.hypot(across, down)
        assert vector[60:62] == pytest.approx([length.mean(), length.std()], abs=1e-5)
        angle = np.arctan2(down, across) % np.pi
        sums = np.histogram(angle, np.linspace(0, np.pi, 9), weights=length)[0]
        assert vector[62:] == pytest.approx(sums / length.sum(), abs=1e-3)


def test_a_constant_image_has_finite_statistics() -> None:
    vector = ImageStatistics()(torch.full((1, 3, 8, 8), 7.0))[0]
    assert vector.isfinite().all()
    assert vector[59] == 1  # beyond the bins, with the outermost
    assert vector[[3, 6, 9, 60, 61]].abs().max() < 1e-5


def test_random_filters_see_each_place_of_the_image_and_are_averaged_by_quarter() -> None:
    torch.manual_seed(0)
    module = RandomConv()
    filters = module.filters.flatten(1).double()
    assert filters.mean(1).abs().max() < 1e-6
    assert filters.norm(dim=1).numpy() == pytest.approx(1, abs=1e-6)
    image = images(1)
    padded = np.pad(image[0].double().numpy(), ((0, 0), (3, 3), (3, 3)))
    answers = np.empty((28, 28))
    for row in range(28):
        for column in range(28):
            patch = padded[:, 2 * row : 2 * row + 7, 2 * column : 2 * column + 7]
            answers[row, column] = max(0.0, (patch.ravel() * filters[5].numpy()).sum())
    quarters = answers.reshape(2, 14, 2, 14).mean(axis=(1, 3)).ravel()
    assert module(image)[0, 5 * 4 : 6 * 4].numpy() == pytest.approx(quarters, abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_floor_of_one_statement_is_the_shipped_one(name: str, tmp_path: Path) -> None:
    shipped = backbones.get(name)
    short = BackboneCard(id="mine", source=shipped.source)
    grey = (images(3)[:, 0] * 127 + 128).to(torch.uint8)
    vectors = encoder(shipped, tmp_path).embed(grey)
    architecture = architecture_of(short, tmp_path, tmp_path)
    assert architecture == FLOORS[shipped.source]
    assert architecture is not None
    assert vectors.shape == (3, architecture.width)
    assert torch.equal(encoder(completed(short, architecture), tmp_path).embed(grey), vectors)
    assert is_floor(short)


@pytest.mark.parametrize(
    ("task", "adaptation", "sentence"),
    [
        ("classification", "linear", ""),
        ("classification", "head", ""),
        ("classification", "full", "nothing of it can be trained; leave full to other ones"),
        ("classification", "lora", "nothing of it can be trained; leave lora to other ones"),
        ("segmentation", "decoder", "it gives one vector an image, no maps; leave decoder to"),
        ("captioning", "bart-base", "it gives one vector an image, no tokens; leave bart-base"),
    ],
)
def test_what_a_floor_does_not_give_is_blocked_in_the_plan(
    task: str, adaptation: str, sentence: str
) -> None:
    card = backbones.get("pixels")
    method = tasks.get(task).adaptations[adaptation]
    recipe = method.recipes["small"].model_dump()
    needs = needs_of_backbone(card, FLOORS[card.source], method, recipe)
    assert bool(needs) == bool(sentence)
    assert all(need.startswith(f"backbone pixels: {sentence}") for need in needs)


def test_a_floor_is_judged_as_a_backbone_and_counts_as_a_control(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    write_npz(tmp_path / "data.npz")
    path = tmp_path / "suite.yaml"
    path.write_text(
        "name: floors\nrepetitions: 1\n"
        f"backbones: [{', '.join(NAMES)}]\n"
        "matrix:\n  - {task: classification, datasets: ['npz:data.npz'], adaptations: [linear],\n"
        "     recipe: {input_size: 32, precision: fp32, epochs: 5}}\n"
    )
    context = Context(tmp_path / "results", tmp_path / "cache")
    records = []
    for unit in load(str(path), Sources(tmp_path, tmp_path)).units:
        assert unit.needs == ()
        execute_unit(unit, context)
        store = RecordStore(context.results)
        record = store.read(unit.cells[0])
        assert record is not None
        records.append((store.path(unit.cells[0]), record))
    frame = values_of(records, {})
    assert frame["control"].all()
    assert frame[frame["metric"] == "auc"]["value"].min() > 0.9  # brightness tells the class

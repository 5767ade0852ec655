"""Void pixels are left out of the loss and of every metric; masks of files keep their own size."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from omnibench.data import npz, pairs
from omnibench.data.declaration import VOID
from omnibench.encoders.preprocess import Preprocess
from omnibench.errors import DataError
from omnibench.scoring import score
from omnibench.tasks.segmentation.cases import Cases
from omnibench.tasks.segmentation.counts import counts_of
from omnibench.tasks.segmentation.distances import surface_distances
from omnibench.tasks.segmentation.heads import Linear
from omnibench.tasks.segmentation.on_maps import Built
from omnibench.tasks.segmentation.overlay import paint
from omnibench.tasks.segmentation.recipes import LINEAR
from omnibench.tasks.segmentation.segmenter import Segmenter
from omnibench.tasks.segmentation.trial import SegmentationTrial
from omnibench.training.job import Batch

SIDE, COUNT = 32, 6


def masks_with_void(
    rng: np.random.Generator, count: int = 4, side: int = 12, classes: int = 3
) -> tuple[Any, Any]:
    truth = rng.integers(0, classes, (count, side, side)).astype(np.uint8)
    truth[rng.random(truth.shape) < 0.3] = VOID
    return rng.integers(0, classes, truth.shape).astype(np.uint8), truth


def test_every_metric_is_that_of_the_pixels_that_are_not_void() -> None:
    predicted, truth = masks_with_void(np.random.default_rng(0))
    counts = counts_of(predicted, truth, 3)
    for image in range(4):
        pixels = [
            (p, t)
            for p, t in zip(predicted[image].flat, truth[image].flat, strict=True)
            if t != VOID
        ]
        for label in range(3):
            outcomes = [(p == label, t == label) for p, t in pixels]
            cells = ((True, True), (True, False), (False, True), (False, False))
            assert counts[image, label].tolist() == [outcomes.count(cell) for cell in cells]
    # Whatever is predicted there, no metric moves.
    other = np.where(truth == VOID, (predicted + 1) % 3, predicted)
    results = []
    for masks in (predicted, other):
        hd95, nsd = surface_distances(masks, truth, 3)
        stored = {"test_counts": counts_of(masks, truth, 3), "test_hd95": hd95, "test_nsd": nsd}
        results.append(score("segmentation", stored))
    assert results[0] == results[1]
    assert len(results[0]) > 15


def test_distances_are_those_of_masks_without_the_void_pixels() -> None:
    predicted, truth = masks_with_void(np.random.default_rng(1))
    void = truth == VOID
    distances = surface_distances(predicted, truth, 3)
    expected = surface_distances(np.where(void, 0, predicted), np.where(void, 0, truth), 3)
    np.testing.assert_array_equal(distances, expected)


def test_nothing_is_painted_where_truth_is_void() -> None:
    truth = np.array([[VOID, 1]], np.uint8)
    painted = paint(np.full((1, 2, 3), 100, np.uint8), np.array([[1, 1]], np.uint8), truth)
    assert painted.tolist() == [[[100, 100, 100], [50, 135, 80]]]


@pytest.fixture
def trial(tmp_path: Path) -> SegmentationTrial:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = rng.integers(0, 256, (COUNT, 20, 20), dtype=np.uint8)
        labels = rng.integers(0, 3, (COUNT, 20, 20)).astype(np.uint8)
        labels[rng.random(labels.shape) < rng.random((COUNT, 1, 1))] = 255
        arrays[f"{split}_label"] = labels
    np.savez(tmp_path / "own.npz", **arrays)
    (tmp_path / "own.yaml").write_text("ignore: [255]")
    data = npz.read(npz.card_of(tmp_path / "own.npz"), tmp_path / "data")
    maps = torch.randn(COUNT, 5, 4, 4, generator=torch.Generator().manual_seed(0))
    head = Linear(torch.zeros(5), torch.ones(5), 3)
    torch.nn.init.normal_(head.classify.weight, generator=torch.Generator().manual_seed(1))
    prepare = Preprocess(SIDE, (0.5,) * 3, (0.5,) * 3, torch.device("cpu"), torch.float32)
    cases = Cases.from_dataset(data, SIDE, "input", None)
    model = Segmenter(cases.dataset, head, prepare, lambda split, rows, pixels: [maps[rows]] * 3)
    recipe = LINEAR.model_copy(update={"precision": "fp32"})
    return SegmentationTrial(Built(model, {}, {}, ""), cases, recipe, "cpu")


def batch(rows: Any, whole: list[int]) -> Batch:
    places = torch.tensor([whole.index(row) for row in rows])
    return Batch(0, torch.tensor(rows), places, torch.tensor(whole))


def test_the_loss_is_the_mean_over_the_pixels_that_are_not_void(trial: SegmentationTrial) -> None:
    assert trial.cases.void
    rows = [4, 0, 3]
    truth = torch.from_numpy(trial.cases.masks("train", np.array(rows))).long()
    logits = trial.model("train", np.array(rows))
    logits = functional.interpolate(logits, size=(SIDE, SIDE), mode="bilinear")
    chosen = truth != VOID
    expected = functional.cross_entropy(logits.permute(0, 2, 3, 1)[chosen], truth[chosen])
    assert trial.loss(batch(rows, rows)).item() == pytest.approx(expected.item(), rel=1e-6)
    parts = [trial.loss(batch(part, rows)).item() for part in (rows[:1], rows[1:])]
    assert sum(parts) == pytest.approx(expected.item(), rel=1e-6)


def test_files_are_scored_at_their_own_size_whatever_the_input(
    tmp_path: Path, trial: SegmentationTrial
) -> None:
    rng = np.random.default_rng(0)
    sizes = ((30, 50), (700, 600), (30, 50))
    for split in ("train", "val", "test"):
        for index, (height, width) in enumerate(sizes):
            for folder in ("images", "masks"):
                path = tmp_path / "set" / split / folder / f"{index}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                high = 256 if folder == "images" else 3
                pixels = rng.integers(0, high, (height, width), dtype=np.uint8)
                Image.fromarray(pixels).save(path)
    data = pairs.read(pairs.card_of(tmp_path / "set"), tmp_path / "data")
    cases = Cases.from_dataset(data.at(SIDE), SIDE, "native", None)
    assert cases.dataset.splits["test"].images.shape == (3, SIDE, SIDE)
    rows = np.arange(3)
    assert cases.sizes("test", rows) == list(sizes)
    for index, mask in enumerate(cases.truth("test", rows)):
        saved = Image.open(tmp_path / "set/test/masks" / f"{index}.png")
        np.testing.assert_array_equal(mask, np.asarray(saved))
    trial.cases = cases
    arrays = cases.predictions(trial.masks)
    areas = [height * width for height, width in sizes]
    assert arrays["test_counts"].sum(axis=2).tolist() == [[area] * 3 for area in areas]
    # As at one size: each image's logits, enlarged by torch to its own.
    logits = trial.model("test", rows).detach()
    for index, size in enumerate(sizes):
        enlarged = functional.interpolate(logits[[index]], size=size, mode="bilinear")
        predicted = trial.masks("test", np.array([index]))[0]
        np.testing.assert_array_equal(predicted, enlarged.argmax(dim=1)[0].numpy())


@pytest.mark.parametrize("of_files", [False, True])
def test_a_mask_that_resizing_leaves_void_is_refused_by_its_images_name(
    tmp_path: Path, of_files: bool
) -> None:
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 2, (4, 64, 64)).astype(np.uint8)
    lost = np.full((64, 64), 255, np.uint8)
    lost[0, 0] = 1  # the only pixel with a class, which falls between those of 8 x 8
    if of_files:
        for split in ("train", "val", "test"):
            for index, mask in enumerate(masks):
                for folder in ("images", "masks"):
                    path = tmp_path / "own" / split / folder / f"{index}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(mask).save(path)
        Image.fromarray(lost).save(tmp_path / "own/test/masks/2.png")
        (tmp_path / "own/omnibench.yaml").write_text("ignore: [255]")
        data = pairs.read(pairs.card_of(tmp_path / "own"), tmp_path / "data")
    else:
        arrays: dict[str, Any] = {
            f"{split}_label": masks.copy() for split in ("train", "val", "test")
        }
        arrays |= {f"{split}_images": masks for split in ("train", "val", "test")}
        arrays["test_label"][2] = lost
        np.savez(tmp_path / "own.npz", **arrays)
        (tmp_path / "own.yaml").write_text("ignore: [255]")
        data = npz.read(npz.card_of(tmp_path / "own.npz"), tmp_path / "data")
    name = "test/images/2.png" if of_files else "image 2"
    for limit in (None, 3):  # the draw of three holds it
        with pytest.raises(DataError, match=f"the mask of {name} of test .* at the 8 x 8 pixels"):
            Cases.from_dataset(data.at(64), 64, "stride8", limit)
    for score_at in ("input", "native"):
        assert Cases.from_dataset(data.at(64), 64, score_at, None).void

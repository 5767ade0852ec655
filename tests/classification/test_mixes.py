"""Units that are trained on a share of images of low quality, and tested on every share."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.cell import Unit, digest_of
from omnibench.data.corruptions import corrupted
from omnibench.data.label_subset import Subset
from omnibench.data.quality import Qualities
from omnibench.data.sources import load_once
from omnibench.errors import DataError
from tests.classification.conftest import Ran, read
from tests.classification.test_views_of_cells import ADAPTATIONS, counted

MIX: Any = {"corruption": "gaussian-noise", "severity": 3, "test": [0, 0.25, 1]}
SEVERAL: Any = {**MIX, "train": [0, 0.25, 0.5, 1]}


def noisy(images: Any, unit: Unit, split: str) -> Any:
    """Return the copies of low quality, by the seeds that the documentation says."""
    parts = [unit.dataset.id, *([] if split == "test" else [split])]
    texts = [digest_of([*parts, case, "gaussian-noise"]) for case in range(len(images))]
    seeds = np.array([int(text[:16], 16) >> 1 for text in texts])
    return corrupted(images, "gaussian-noise", 3, seeds, unit.dataset.id)


@pytest.mark.parametrize("adaptation", ADAPTATIONS)
def test_a_mix_of_none_or_all_is_a_training_without_a_mix(
    ran: Ran, tmp_path: Path, adaptation: Any
) -> None:
    none, every = ran(adaptation, mix={**MIX, "train": [0, 1]})
    [(unit, plain)] = ran(adaptation)
    content = read(tmp_path / "own.npz")
    low = {f"{s}_images": noisy(content[f"{s}_images"], unit, s) for s in ("train", "val", "test")}
    np.savez(tmp_path / "own.npz", **{**content, **low})
    [(_, spoilt)] = ran(adaptation, "others")
    for mixed, of_low, clean, noise in zip(none[1], every[1], plain, spoilt, strict=True):
        for name, array in clean.predictions.items():
            np.testing.assert_array_equal(mixed.predictions[name], array)
        for name in ("val_logits", "test_logits"):
            view = name.replace("test_logits", "test_logits@low")
            np.testing.assert_array_equal(of_low.predictions[view], noise.predictions[name])
        key = "omnirad-classification{}/auc"
        assert mixed.metrics[key.format("@low-q0")] == clean.metrics[key.format("")]
        assert of_low.metrics[key.format("@low-q100")] == noise.metrics[key.format("")]
        assert of_low.notes["subset"]["low"] == 36


@pytest.mark.parametrize("adaptation", ["linear", "full"])
def test_a_quarter_is_trained_as_on_a_file_of_these_images(
    ran: Ran, tmp_path: Path, adaptation: str
) -> None:
    [(unit, outcomes)] = ran(adaptation, mix={**MIX, "train": [0.25]})
    content = read(tmp_path / "own.npz")
    dataset = load_once(unit.dataset, tmp_path, unit.sources["dataset"], 32)
    assert unit.mix is not None
    qualities = Qualities.from_mix(dataset, unit.mix)
    whole = Subset.from_dataset(unit, 1, dataset, "labels")
    mixed = qualities.mixed(whole, unit, 1)
    for split, rows in (("train", mixed.train), ("val", mixed.val)):
        images = content[f"{split}_images"]
        count = len(images)
        both = np.concatenate([images, noisy(images, unit, split)])
        np.testing.assert_array_equal(rows % count, np.arange(count))
        assert len(rows) / 5 < (rows >= count).sum() <= len(rows) / 2  # whole patients
        content[f"{split}_images"] = both[rows]
    np.savez(tmp_path / "own.npz", **content)
    [(_, alone)] = ran(adaptation, "others")
    for name in ("val_logits", "test_logits"):
        actual, expected = (o.predictions[name] for o in (outcomes[1], alone[1]))
        np.testing.assert_allclose(actual, expected, atol=1e-5)
    assert outcomes[1].notes["subset"]["low"] == (mixed.train >= 36).sum()


def test_a_grid_costs_one_pass_over_each_copy_of_each_image(
    ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = counted(monkeypatch)
    units = ran("linear", mix=SEVERAL)
    assert [unit.short for unit, _ in units] == [f"linear@low{n}" for n in (0, 25, 50, 100)]
    # Micro-batches of four of 36, 12 and 16 images and their copies; one image for its FLOPs.
    assert len(calls) == 2 * (9 + 3 + 4) + sum(size == 1 for size in calls)


def test_a_smaller_share_of_low_quality_lies_within_a_larger_one(ran: Ran, tmp_path: Path) -> None:
    low: dict[tuple[str, int], set[int]] = {}
    for unit, _ in ran("knn", mix={**SEVERAL, "train": [0.25, 0.5, 0.75]}):
        dataset = load_once(unit.dataset, tmp_path, unit.sources["dataset"], 32)
        assert unit.mix is not None
        qualities = Qualities.from_mix(dataset, unit.mix)
        for k in (0, 1):
            whole = Subset.from_dataset(unit, k, dataset, "labels")
            rows = qualities.mixed(whole, unit, k).train
            low[unit.short, k] = set((rows[rows >= 36] - 36).tolist())
    for k in (0, 1):
        shares = [low[f"knn@low{n}", k] for n in (25, 50, 75)]
        assert shares[0] < shares[1] < shares[2]
    assert low["knn@low25", 0] != low["knn@low25", 1]


def with_scores(path: Path) -> dict[str, Any]:
    """Give images scores 1 to 4, of which 1 and 2 are the noisier ones' of each class."""
    content = read(path)
    for split in ("train", "val", "test"):
        labels = content[f"{split}_labels"]
        within = np.array([np.sum(labels[:i] == label) for i, label in enumerate(labels)])
        content[f"{split}_quality"] = 1.0 + within % 4
    np.savez(path, **content)
    return content


def test_scored_images_are_mixed_as_they_are(ran: Ran, tmp_path: Path) -> None:
    content = with_scores(tmp_path / "own.npz")
    mix = {"by": "quality", "below": 3, "train": [0, 0.5, 1], "test": [0, 0.5, 1]}
    low = content["train_quality"] < 3
    counts = {}
    for unit, outcomes in ran("linear", mix=mix):
        assert len(outcomes) == 2
        for outcome in outcomes:
            subset = outcome.notes["subset"]
            counts[unit.short] = (subset["images"], subset["low"], subset["per_class"])
            np.testing.assert_array_equal(
                outcome.predictions["test_low@low"], content["test_quality"] < 3
            )
            assert "omnirad-classification@low-q50/auc" in outcome.metrics
    most = {
        str(k): min(
            (low & (content["train_labels"] == k)).sum(),
            (~low & (content["train_labels"] == k)).sum(),
        )
        for k in range(3)
    }
    images = sum(most.values())
    assert counts["linear@low0"] == (images, 0, most)
    assert counts["linear@low50"] == (images, images // 2, most)
    assert counts["linear@low100"] == (images, images, most)


def test_a_mix_of_scores_that_are_not_there_is_refused_by_plan(ran: Ran, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"have no scores of quality; save numbers as train_q"):
        ran("linear", mix={"by": "quality", "train": [0, 1], "test": [0]})
    content = with_scores(tmp_path / "own.npz")
    content["test_quality"] = np.full(16, 4.0)
    np.savez(tmp_path / "own.npz", **content)
    with pytest.raises(DataError, match=r"no image of the class '0' in test has a quality below 3"):
        ran("linear", mix={"by": "quality", "below": 3, "train": [0, 1], "test": [0]})

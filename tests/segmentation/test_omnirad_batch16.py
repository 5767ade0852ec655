from typing import Any

import numpy as np
import pytest

from omnibench.tasks.segmentation.counts import counts_of
from omnibench.tasks.segmentation.metrics import omnirad_batch16

NAMES = ["miou", "dice", "precision", "recall", "specificity"]


def batch_by_batch(predicted: Any, truth: Any, classes: int) -> dict[Any, Any]:
    """The study's way, written out over masks: every metric skips the classes where it is 0 / 0."""
    batches = []
    for start in range(0, len(truth), 16):
        part = slice(start, start + 16)
        kept: dict[str, list[Any]] = {name: [] for name in NAMES}
        for label in range(classes):
            p, t = predicted[part] == label, truth[part] == label
            both = np.sum(p & t)
            for name, part_of, whole in (
                ("miou", both, np.sum(p | t)),
                ("dice", 2 * both, p.sum() + t.sum()),
                ("precision", both, p.sum()),
                ("recall", both, t.sum()),
                ("specificity", np.sum(~p & ~t), np.sum(~t)),
            ):
                if whole:
                    kept[name].append(part_of / whole)
        means = {name: np.mean(values) for name, values in kept.items()}
        total = means["precision"] + means["recall"]
        means["f1"] = 2 * means["precision"] * means["recall"] / total if total else 0.0
        batches.append(means)
    return {name: np.mean([means[name] for means in batches]) for name in means}


@pytest.mark.parametrize("images", [1, 15, 16, 17, 40, 48])
@pytest.mark.parametrize("classes", [2, 4])
def test_batches_of_16_equal_a_loop_over_masks(images: int, classes: int) -> None:
    rng = np.random.default_rng(images)
    for most in range(1, classes + 1):  # how many classes an image shows at most
        predicted, truth = (
            np.stack([rng.choice(rng.choice(classes, most), (3, 4)) for _ in range(images)])
            for _ in range(2)
        )
        ours = omnirad_batch16({"test_counts": counts_of(predicted, truth, classes)})
        expected = batch_by_batch(predicted, truth, classes)
        assert ours == pytest.approx(expected, abs=1e-12)


def test_a_class_absent_from_a_batch_is_dropped_there_alone() -> None:
    truth = np.zeros((17, 2, 2), int)  # one whole batch, and one of a single image
    truth[16, 0] = 1
    predicted = np.zeros_like(truth)
    ours = omnirad_batch16({"test_counts": counts_of(predicted, truth, 3)})
    # The second batch: IoU 1/2 and 0, precision 1/2 of the only class predicted, recall 1 and 0.
    assert ours["miou"] == pytest.approx((1 + 0.25) / 2)
    assert ours["precision"] == pytest.approx((1 + 0.5) / 2)
    assert ours["recall"] == pytest.approx((1 + 0.5) / 2)
    assert ours["f1"] == pytest.approx((1 + 0.5) / 2)
    # Absent classes have negatives; the background of the first batch has none, and is dropped.
    assert ours["specificity"] == pytest.approx((1 + 2 / 3) / 2)

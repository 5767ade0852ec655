"""Metrics of sets against counting pixels set by set."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.scoring import case_values, chances, score
from omnibench.tasks.contrasts.metrics import contrast_sets, dice_of_sets
from omnibench.tasks.segmentation.counts import counts_of

CLASSES, SETS = 3, ("A", "A+B", "B")


def dice_by_hand(predicted: NDArray[Any], truth: NDArray[Any]) -> float:
    """Return the mean Dice over classes 1 and 2, of which absent ones score 1."""
    values = []
    for label in (1, 2):
        p, t = predicted == label, truth == label
        values.append(2 * (p & t).sum() / (p.sum() + t.sum()) if p.any() or t.any() else 1.0)
    return float(np.mean(values))


@pytest.fixture
def masks() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the truth of four studies, and what was predicted by each set and by all of them."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, CLASSES, (4, 8, 8))
    truth[3] = np.minimum(truth[3], 1)
    predicted = np.where(rng.random((4, 4, 8, 8)) < 0.6, truth[:, None], rng.integers(0, 3))
    return truth, predicted


def predictions_of(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], without: tuple[int, ...] = ()
) -> dict[str, NDArray[Any]]:
    """Return what is stored; the studies `without` lack the contrast B."""
    counts = np.stack([counts_of(predicted[:, n], truth, CLASSES) for n in range(3)], axis=1)
    counts[list(without), 1:] = -1
    return {
        "test_case": np.arange(4),
        "test_counts": counts_of(predicted[:, 3], truth, CLASSES),
        "test_set_counts": counts,
        "contrast_sets": np.array(SETS),
        "contrast_sets_trained": np.array([True, False, False]),
    }


def test_each_set_is_scored_on_the_studies_that_have_it(
    masks: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> None:
    truth, predicted = masks
    by_hand = np.array(
        [[dice_by_hand(predicted[s, n], truth[s]) for n in range(4)] for s in range(4)]
    )
    for without in ((), (1, 3)):
        there = [study for study in range(4) if study not in without]
        own = predictions_of(truth, predicted, without)
        values = contrast_sets(own)
        means = np.array([by_hand[:, 0].mean(), by_hand[there, 1].mean(), by_hand[there, 2].mean()])
        whole = np.array([by_hand[:, 3].mean(), *[by_hand[there, 3].mean()] * 2])
        expected = dict(zip((f"dice-{name}" for name in SETS), means, strict=True)) | {
            "mean": means.mean(),
            "worst": means.min(),
            "zero-shot": means[1:].mean(),
            "retained": (means / whole).mean(),
        }
        assert values == pytest.approx(expected)
        dice = dice_of_sets(own["test_set_counts"])
        assert np.isnan(dice).sum() == 2 * len(without)
        scored = score("contrasts", own)
        assert scored["contrast-sets/zero-shot"] == pytest.approx(expected["zero-shot"])
        cases, guesses = case_values("contrasts", own), chances("contrasts", own)
        if without:
            assert "values:contrast-sets/mean" not in cases
            assert "contrast-sets/mean" not in guesses
        else:
            np.testing.assert_allclose(
                cases["values:contrast-sets/mean"], by_hand[:, :3].mean(axis=1)
            )
            best = max(
                np.mean([dice_by_hand(np.full_like(own, guess), own) for own in truth])
                for guess in range(CLASSES)
            )
            assert guesses["contrast-sets/worst"].value == pytest.approx(best)
            assert guesses["contrast-sets/dice-A+B"].value == pytest.approx(best)


def test_backward_transfer_is_what_the_first_sets_gain(
    masks: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> None:
    truth, predicted = masks
    own = predictions_of(truth, predicted)
    before = own["test_set_counts"][:, :1]
    after = counts_of(truth, truth, CLASSES)[:, None]
    values = contrast_sets({**own, "test_before_counts": before, "test_after_counts": after})
    first = np.mean([dice_by_hand(predicted[s, 0], truth[s]) for s in range(4)])
    assert values["backward-transfer"] == pytest.approx(1 - first)
    assert "backward-transfer" not in contrast_sets(own)


def test_undefined_values_are_none(masks: tuple[NDArray[np.int64], NDArray[np.int64]]) -> None:
    truth, predicted = masks
    own = predictions_of(truth, predicted)
    own["contrast_sets_trained"] = np.ones(3, bool)
    assert contrast_sets(own)["zero-shot"] is None
    truth = np.maximum(truth, 1)
    truth[3, 0, 0] = 2  # every study shows both classes
    own = predictions_of(truth, np.zeros_like(predicted))
    assert contrast_sets(own)["retained"] is None

import numpy as np
import pytest
import torch
from scipy.ndimage import label
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from omnibench.cards import MapFacts
from omnibench.tasks.dense.measures import likeness, measures, moments, projected, structures

RNG = np.random.default_rng(0)
TRUTH = RNG.random((24, 20))
PREDICTED = np.clip(TRUTH + RNG.normal(0, 0.2, TRUTH.shape), 0, 1)
ALL = np.ones(TRUTH.shape, bool)


def test_ssim_is_that_of_skimage_and_of_torchmetrics() -> None:
    value = likeness(PREDICTED, TRUTH, ALL, (0.0, 2.0))[0]
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    assert value == pytest.approx(
        structural_similarity(PREDICTED, TRUTH, data_range=2.0, **settings), abs=1e-12
    )
    p, t = (torch.from_numpy(m)[None, None] for m in (PREDICTED, TRUTH))
    _, local = structural_similarity_index_measure(
        p, t, sigma=1.5, data_range=2.0, return_full_image=True
    )
    assert value == pytest.approx(float(local[0, 0, 5:-5, 5:-5].mean()), abs=1e-4)


def test_ssim_after_min_max_hides_gain_and_offset() -> None:
    plain, stretched, largest = likeness(0.3 * TRUTH + 0.5, TRUTH, ALL, (0.0, 1.0))
    assert stretched == pytest.approx(1)
    assert plain < 0.8
    assert largest == TRUTH.max()


def test_what_is_not_valid_changes_no_measure() -> None:
    valid = ALL.copy()
    valid[3:9, 4:12] = False
    wild = np.where(valid, TRUTH, np.nan)
    other = np.where(valid, PREDICTED, 17.0)
    facts = MapFacts(unit="mm", range=(0, 1), structure=0.5, block=4)
    once = measures(PREDICTED[None], TRUTH[None], valid[None], facts)
    again = measures(other[None], wild[None], valid[None], facts)
    assert once.keys() == again.keys() == {"moments", "ssim", "structures", "projected"}
    for name in once:
        np.testing.assert_array_equal(once[name], again[name])


def test_moments_are_sums_over_valid_pixels() -> None:
    valid = RNG.random(TRUTH.shape) < 0.5
    p, t = PREDICTED[valid], TRUTH[valid]
    brute = [len(p), sum(p), sum(t), sum(p**2), sum(t**2), sum(p * t), sum(abs(p - t))]
    np.testing.assert_allclose(moments(PREDICTED, TRUTH, valid), brute)


def test_components_that_touch_nothing_are_false_or_missed() -> None:
    for _ in range(20):
        predicted, truth = RNG.random((2, 16, 16)) < 0.12
        numbers = structures(predicted, truth)
        counts = []
        for own, other in ((predicted, truth), (truth, predicted)):
            labelled, count = label(own, np.ones((3, 3)))
            alone = sum(not (other & (labelled == k)).any() for k in range(1, count + 1))
            counts += [count, alone]
        assert numbers.tolist() == [predicted.sum(), truth.sum(), *counts]


def test_parts_of_an_error_are_those_of_the_pseudoinverse() -> None:
    error, truth = RNG.normal(size=(2, 8, 8))
    a = np.zeros((4, 64))
    for block in range(4):
        mask = np.zeros((8, 8))
        row, column = divmod(block, 2)
        mask[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 1 / 16
        a[block] = mask.ravel()
    seen = np.linalg.pinv(a) @ a
    brute = [
        np.linalg.norm(part)
        for part in (
            a @ error.ravel(),
            a @ truth.ravel(),
            seen @ error.ravel(),
            (np.eye(64) - seen) @ error.ravel(),
            truth,
        )
    ]
    np.testing.assert_allclose(projected(error, truth, 4), brute)
    assert np.hypot(brute[2], brute[3]) == pytest.approx(np.linalg.norm(error))

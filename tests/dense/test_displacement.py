"""Displacements against closed forms and brute force."""

import math

import numpy as np
import pytest
from sklearn.metrics import f1_score

from omnibench.cards import MapFacts
from omnibench.scoring import score
from omnibench.tasks.dense.displacement import jacobian, moved, registration
from omnibench.tasks.dense.measures import measures

RNG = np.random.default_rng(0)
ALL = np.ones((24, 20), bool)
ROWS, COLUMNS = np.mgrid[:24, :20].astype(float)
FACTS = MapFacts(unit="mm", range=(-9, 9), channels=("down", "right"), displacement=(2.0, 0.5))
MASKS = RNG.integers(0, 3, (24, 20), dtype=np.uint8)


def test_the_jacobian_of_a_linear_map_is_its_determinant() -> None:
    matrix = np.array([[0.3, -0.2], [0.5, -1.7]])
    u = np.stack([ROWS, COLUMNS], axis=-1) @ matrix.T
    expected = np.linalg.det(np.eye(2) + matrix)
    np.testing.assert_allclose(jacobian(u, (1, 1)), expected)
    np.testing.assert_allclose(jacobian(u * (2, 0.5), (2, 0.5)), expected)  # mm of a pixel


def test_what_folds_is_counted_over_valid_pixels() -> None:
    u = np.zeros((24, 20, 2))
    u[12:, :, 0] = -2 * (ROWS[12:] - 11.5)  # mirrored below the middle
    valid = ALL.copy()
    valid[:6] = False
    # det is 1 above, -1 below; the two central differences over the crease are 0 and -1
    brute = np.mean([1 - (row >= 12) * 2 <= 0 for row in range(6, 24)])
    folding = registration(u, 0 * u, valid, (1, 1))[3]
    assert brute <= folding <= brute + 1 / 18


def test_endpoints_are_those_of_a_loop() -> None:
    predicted, truth = RNG.normal(0, 1.5, (2, 24, 20, 2))
    valid = RNG.random(ALL.shape) < 0.5
    errors = [math.dist(predicted[at], truth[at]) for at in zip(*np.nonzero(valid), strict=True)]
    mean, near, far = registration(predicted, truth, valid, (1, 1))[:3]
    assert mean == pytest.approx(np.mean(errors))
    assert near == pytest.approx(np.mean([error <= 1 for error in errors]))
    assert far == pytest.approx(np.mean([error <= 3 for error in errors]))


def test_tissue_is_moved_to_the_nearest_pixel_and_compared_by_class() -> None:
    predicted, truth = RNG.normal(0, 3, (2, 24, 20, 2))
    brute = np.zeros((2, 24, 20), np.uint8)
    for field, out in zip((predicted, truth), brute, strict=True):
        for row, column in np.ndindex(24, 20):
            r = round(row + field[row, column, 0] / 2)
            c = round(column + field[row, column, 1] / 0.5)
            if 0 <= r < 24 and 0 <= c < 20:
                out[row, column] = MASKS[r, c]
    np.testing.assert_array_equal(moved(MASKS, predicted, (2, 0.5)), brute[0])
    expected = f1_score(brute[1].ravel(), brute[0].ravel(), average="macro", labels=[1, 2])
    actual = registration(predicted, truth, ALL, (2, 0.5), MASKS)[4]
    assert actual == pytest.approx(expected)
    assert np.isnan(registration(predicted, truth, ALL, (2, 0.5))[4])
    assert np.isnan(registration(predicted, truth, ALL, (2, 0.5), 0 * MASKS)[4])


def test_a_known_constant_field_has_every_measure_in_closed_form() -> None:
    truth = np.zeros((2, 24, 20, 2))
    predicted = truth + np.array([0.6, -0.8])
    valid = np.stack([ALL, ALL])
    arrays = measures(predicted, truth, valid, FACTS)
    assert arrays["moments"][0].tolist()[:3] == pytest.approx([960, -0.2 * 480, 0])
    given = {f"test_{name}": array for name, array in arrays.items()}
    for name in arrays:
        given[f"test_baseline_{name}"] = np.stack([arrays[name]] * 3, axis=1)
    given |= {"map_range": np.array([-9.0, 9.0]), "cutoff": np.array([np.nan])}
    values = score("dense", {**given, "test_case": np.arange(2)})
    assert values["registration/endpoint-error"] == pytest.approx(1)
    assert values["registration/folding"] == 0
    assert values["registration/within-3"] == 1
    assert values["registration/dice"] is None
    assert values["dense-error/mae"] == pytest.approx(0.7)
    assert values["dense-error/bias"] == pytest.approx(-0.1)
    assert values["threshold-agreement/balanced-accuracy"] is None


def test_channels_are_measured_one_by_one_and_brought_together() -> None:
    predicted, truth = RNG.random((2, 1, 24, 20, 2))
    facts = MapFacts(unit="mm", range=(0, 1), structure=0.5, channels=("a", "b"))
    both = measures(predicted, truth, ALL[None], facts)
    alone = MapFacts(unit="mm", range=(0, 1), structure=0.5)
    first, second = (measures(predicted[..., c], truth[..., c], ALL[None], alone) for c in range(2))
    for name in ("moments", "structures"):
        np.testing.assert_allclose(both[name], first[name] + second[name])
    np.testing.assert_allclose(both["ssim"][:, :2], (first["ssim"] + second["ssim"])[:, :2] / 2)
    assert "registration" not in both

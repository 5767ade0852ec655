"""Noise models and random fields against their closed forms."""

import math

import numpy as np
import pytest

from omnibench.data.phantom.fields import blur, smooth_field
from omnibench.data.phantom.modality import photons, rician
from omnibench.data.phantom.ultrasound import speckle


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_rician_mean_and_spread_without_signal() -> None:
    """Rayleigh: mean sigma sqrt(pi / 2), variance sigma^2 (2 - pi / 2)."""
    values = rician(rng(), np.zeros((400, 400)), 0.05)
    assert values.mean() == pytest.approx(0.05 * math.sqrt(math.pi / 2), rel=0.01)
    assert values.var() == pytest.approx(0.05**2 * (2 - math.pi / 2), rel=0.02)


def test_rician_second_moment_with_signal() -> None:
    """E[M^2] = A^2 + 2 sigma^2 at any signal (Gudbjartsson and Patz 1995)."""
    values = rician(rng(), np.full((400, 400), 0.1), 0.05)
    assert (values**2).mean() == pytest.approx(0.1**2 + 2 * 0.05**2, rel=0.01)


@pytest.mark.parametrize("cell", [1e-6, 0.006])
def test_speckle_is_fully_developed(cell: float) -> None:
    """Contrast of a Rayleigh amplitude: sqrt(4 / pi - 1) = .5227; of its intensity: 1."""
    amplitude = speckle(rng(), 400, cell, cell)
    assert amplitude.std() / amplitude.mean() == pytest.approx(0.5227, rel=0.03)
    intensity = amplitude**2
    assert intensity.mean() == pytest.approx(1)
    assert intensity.std() == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("mean", [5.0, 300.0])
def test_photons_have_a_variance_equal_to_their_mean(mean: float) -> None:
    counts = photons(rng(), np.full((400, 400), mean))
    assert counts.mean() == pytest.approx(mean, rel=0.01)
    assert counts.var() == pytest.approx(mean, rel=0.02)


def test_smooth_field_has_unit_variance_and_is_the_same_at_every_size() -> None:
    fields = [smooth_field(np.random.default_rng(seed), 48, 12) for seed in range(300)]
    assert np.var(fields, axis=0) == pytest.approx(np.ones((48, 48)), abs=0.4)
    assert np.mean(np.square(fields)) == pytest.approx(1, rel=0.02)
    small, large = smooth_field(rng(), 65, 8), smooth_field(rng(), 195, 8)
    assert small == pytest.approx(large[1::3, 1::3], abs=1e-9)


def test_blur_keeps_what_is_flat_and_has_the_width_asked() -> None:
    assert blur(np.full((40, 40), 3.0), 0.1) == pytest.approx(np.full((40, 40), 3.0))
    point = np.zeros((101, 101))
    point[50, 50] = 1
    spread = blur(point, 0.04, 0.08)
    offsets = np.arange(101) - 50
    assert math.sqrt((spread.sum(1) * offsets**2).sum()) == pytest.approx(4.04, rel=0.01)
    assert math.sqrt((spread.sum(0) * offsets**2).sum()) == pytest.approx(8.08, rel=0.01)

"""Generated signals: the model, its derivatives, the noise, and what is refused of voxels."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import kstest, rice

from omnibench.catalogue import datasets
from omnibench.data import Dataset
from omnibench.data.ivim import SNR_15, SNR_30
from omnibench.data.ivim.model import RANGES, jacobian, signal
from omnibench.data.ivim.reader import draw
from omnibench.data.ivim.voxels import Voxels
from omnibench.errors import DataError

B = np.array(SNR_30.b_values)


@pytest.fixture(scope="module")
def small() -> Dataset:
    sizes = {"splits": {"train": 50, "val": 20, "test": 125}}
    return draw(datasets.get("ivim").model_copy(update=sizes), SNR_30)


def voxels(dataset: Dataset, split: str) -> Voxels:
    return dataset.target(split, "voxels", Voxels)


def test_signals_are_those_of_two_compartments() -> None:
    s0, f, ds, df = 0.9, 0.3, 1.1, 40.0
    by_hand = [s0 * (f * np.exp(-b * (ds + df) * 1e-3) + 0.7 * np.exp(-b * ds * 1e-3)) for b in B]
    assert signal(np.array([s0, f, ds, df]), B) == pytest.approx(by_hand, rel=1e-12)


def test_derivatives_equal_finite_differences() -> None:
    at = np.array([0.9, 0.3, 1.1, 40.0])
    slopes = jacobian(at, B)
    for place, b in enumerate(B):
        by_steps = approx_fprime(at, lambda p, b=b: float(signal(p, np.array([b]))[0]), 1e-6)
        assert slopes[place] == pytest.approx(by_steps, abs=1e-6)


def test_training_voxels_fill_their_ranges_and_the_test_is_a_grid_of_draws(small: Dataset) -> None:
    train, test = voxels(small, "train"), voxels(small, "test")
    assert (train.signals.shape, test.signals.shape) == ((50, 1, 10), (125, 100, 10))
    assert (train.parameters >= RANGES[:, 0]).all()
    assert (train.parameters <= RANGES[:, 1]).all()
    assert len(np.unique(test.parameters, axis=0)) == 125
    assert np.unique(test.parameters[:, 3]).tolist() == [24, 52, 80, 108, 136]
    assert not np.isin(train.signals, voxels(small, "val").signals).any()


def test_noise_is_rician_and_the_same_when_it_is_drawn_again(small: Dataset) -> None:
    test = voxels(small, "test")
    again = voxels(draw(small.card, SNR_30), "test")
    assert np.array_equal(test.signals, again.signals)
    clean = signal(test.parameters, B)
    last = test.signals[7, :, -1].astype(float)
    assert kstest(last, rice(clean[7, -1] * 30, scale=1 / 30).cdf).pvalue > 0.01
    assert kstest(last, rice(clean[7, -1] * 15, scale=1 / 15).cdf).pvalue < 1e-3
    noisier = voxels(draw(small.card, SNR_15), "test")
    assert np.array_equal(noisier.parameters, test.parameters)
    assert noisier.signals[7, :, -1].std() > 1.5 * last.std()


def test_cut_splits_take_voxels_with_their_draws(small: Dataset) -> None:
    part = small.splits["test"].take(np.array([3, 5]))
    taken = part.target("voxels", Voxels)
    assert np.array_equal(taken.signals, voxels(small, "test").signals[[3, 5]])
    assert np.array_equal(part.images.read(0, 2), taken.signals)


@pytest.mark.parametrize(("value", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (-0.5, "-0.5")])
def test_signals_that_are_no_magnitudes_are_refused_by_their_place(
    small: Dataset, value: float, shown: str
) -> None:
    train = voxels(small, "train")
    signals = train.signals.copy()
    signals[4, 0, 2] = value
    with pytest.raises(DataError, match=rf"voxel 4, draw 0, at b = 20 is {shown}; magnitudes are"):
        replace(train, signals=signals)


def test_shapes_that_do_not_fit_are_refused(small: Dataset) -> None:
    train = voxels(small, "train")
    with pytest.raises(DataError, match=r"do not fit 10 b-values; give \[N, draws, 10\]"):
        replace(train, signals=train.signals[..., :9])
    with pytest.raises(DataError, match="a true parameter of voxels is not finite"):
        replace(train, parameters=np.full_like(train.parameters, np.nan))

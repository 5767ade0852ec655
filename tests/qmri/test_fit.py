"""Maximum likelihood of all voxels at once, beside scipy's of one."""

import numpy as np
import pytest
from scipy.optimize import least_squares, minimize
from scipy.stats import rice

from omnibench.data.ivim import SNR_15, SNR_30
from omnibench.data.ivim.model import SCALES, Floats, signal
from omnibench.data.ivim.protocol import Protocol
from omnibench.data.ivim.reader import grid, measured
from omnibench.tasks.qmri.bound import cramer_rao
from omnibench.tasks.qmri.fit import LOWER, UPPER, fit

B = np.array(SNR_30.b_values)


def noisy(protocol: Protocol, count: int) -> Floats:
    """Return signals [count, B] of one draw each."""
    truth = grid()[np.random.default_rng(1).permutation(125)[:count]]
    return measured(truth, 1, protocol, np.random.default_rng(2))[:, 0]


def test_signals_without_noise_give_their_parameters_back() -> None:
    truth = grid()[::5]
    result = fit(signal(truth, B), SNR_30, "gaussian")
    assert result.ended.all()
    assert result.parameters == pytest.approx(truth, rel=1e-3)


def test_no_start_of_scipy_fits_the_squares_better() -> None:
    signals = noisy(SNR_15, 12)
    ours = fit(signals, SNR_15, "gaussian").parameters
    for own, target in zip(ours, signals, strict=True):

        def residual(p: Floats, target: Floats = target) -> Floats:
            return signal(p * SCALES, B) - target

        sums = [
            2
            * least_squares(
                residual, np.array(s) / SCALES, bounds=(LOWER / SCALES, UPPER / SCALES)
            ).cost
            for s in ((1, 0.3, 1.1, 60), (1, 0.1, 2, 20), (1, 0.5, 0.7, 120))
        ]
        assert (residual(own / SCALES) ** 2).sum() <= min(sums) * (1 + 1e-6)


def test_no_start_of_scipy_has_a_better_rician_likelihood() -> None:
    signals = noisy(SNR_15, 8)
    ours = fit(signals, SNR_15, "rician").parameters
    for own, target in zip(ours, signals, strict=True):

        def loss(p: Floats, target: Floats = target) -> float:
            clean = signal(p * SCALES, B)
            return -float(rice.logpdf(target, clean * 15, scale=1 / 15).sum())

        bounds = list(zip(LOWER / SCALES, UPPER / SCALES, strict=True))
        best = min(
            minimize(loss, np.array(s) / SCALES, method="Nelder-Mead", bounds=bounds).fun
            for s in ((1, 0.3, 1.1, 60), (1, 0.1, 2, 20))
        )
        assert loss(own / SCALES) <= best + 1e-5


def test_voxels_are_fitted_alike_alone_and_in_company() -> None:
    signals = noisy(SNR_30, 20)
    together = fit(signals, SNR_30, "rician").parameters
    alone = np.concatenate([fit(voxel[None], SNR_30, "rician").parameters for voxel in signals])
    assert np.array_equal(together, alone)


def test_with_little_noise_the_fit_reaches_the_bound_and_has_no_bias() -> None:
    quiet = Protocol(SNR_30.b_values, snr=1000)
    truth = np.array([[1.0, 0.3, 1.1, 52.0]])
    signals = measured(truth, 1000, quiet, np.random.default_rng(3))[0]
    estimates = fit(signals, quiet, "rician").parameters
    bound = cramer_rao(truth, quiet)[0]
    # four standard errors of a variance and of a mean of 1000 draws
    assert estimates.var(axis=0, ddof=1) / bound == pytest.approx(1, abs=4 * np.sqrt(2 / 999))
    assert (np.abs(estimates.mean(axis=0) - truth[0]) < 4 * np.sqrt(bound / 1000) + 1e-4).all()


def test_dark_signals_stay_within_bounds() -> None:
    result = fit(np.zeros((1, 10)), SNR_30, "rician").parameters
    assert ((result >= LOWER) & (result <= UPPER)).all()
    assert result[0, 0] < 0.05

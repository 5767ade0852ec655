"""The Cramer-Rao bound by numerical integration, closed forms and simulation."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import rice

from omnibench.data.ivim import SNR_30
from omnibench.data.ivim.model import jacobian
from omnibench.data.ivim.protocol import Protocol
from omnibench.errors import DataError
from omnibench.tasks.qmri.bound import cramer_rao, information

AT = np.array([[1.0, 0.3, 1.1, 60.0]])


@pytest.mark.parametrize("x", [0.3, 1.0, 4.0])
def test_information_equals_that_of_scipys_density(x: float) -> None:
    step = 1e-4

    def integrand(r: float) -> float:
        slope = (rice.logpdf(r, x + step) - rice.logpdf(r, x - step)) / (2 * step)
        return float(rice.pdf(r, x) * slope**2)

    by_integral = quad(integrand, 1e-9, x + 12, limit=200)[0]
    assert information(np.array([x]))[0] == pytest.approx(by_integral, rel=1e-4)


def test_information_goes_from_none_to_that_of_gaussian_noise() -> None:
    values = information(np.array([0.0, 1.0, 10.0, 1000.0]))
    assert values[0] == pytest.approx(0, abs=1e-12)
    assert (np.diff(values) > 0).all()
    assert values[2] == pytest.approx(1 - 1 / (2 * 10**2), abs=1e-4)
    assert values[3] == pytest.approx(1, abs=1e-6)


def test_the_bound_without_noise_floor_is_that_of_least_squares() -> None:
    quiet = Protocol(SNR_30.b_values, snr=1e4)
    slopes = jacobian(AT, np.array(quiet.b_values))[0]
    closed = np.diagonal(np.linalg.inv(slopes.T @ slopes)) * quiet.sigma**2
    assert cramer_rao(AT, quiet)[0] == pytest.approx(closed, rel=1e-6)
    assert (cramer_rao(AT, SNR_30)[0] > closed * (1e4 / 30) ** 2).all()


def test_b_values_that_tell_nothing_apart_are_refused() -> None:
    blind = Protocol((0, 5000, 6000, 7000), snr=30)
    with pytest.raises(DataError, match=r"cannot tell the parameters 1, 0\.3, 1\.1, 60"):
        cramer_rao(AT, blind)

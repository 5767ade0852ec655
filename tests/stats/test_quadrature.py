"""Points that stand for estimated variances, against scipy's distributions."""

import numpy as np
import pytest
from scipy import stats

from omnibench.stats.quadrature import POINTS, normals, variance_ratios


@pytest.mark.parametrize("df", [1.0, 2.0, 4.3, 60.0])
def test_ratios_are_of_a_chi_square_variable(df: float) -> None:
    for dimension in range(5):
        ratios = variance_ratios(df, dimension)
        assert stats.kstest(ratios * df, stats.chi2(df).cdf).statistic < 0.02
        assert ratios.mean() == pytest.approx(1, abs=0.03)


def test_dimensions_are_independent() -> None:
    points = np.array([normals(dimension) for dimension in range(5)])
    assert np.abs(np.corrcoef(points) - np.eye(5)).max() < 0.03
    assert np.abs(np.corrcoef(points**2) - np.eye(5)).max() < 0.05


def test_a_known_variance_is_its_estimate_and_points_never_change() -> None:
    assert (variance_ratios(float("inf"), 0) == np.ones(POINTS)).all()
    np.testing.assert_array_equal(variance_ratios(7.5, 1), variance_ratios(7.5, 1))

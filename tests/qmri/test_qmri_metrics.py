"""Bias, deviation and error of estimates, by hand and by simulation."""

import numpy as np
import pytest

from omnibench.data.ivim.model import SCALES
from omnibench.scoring import case_values, chances, score
from omnibench.task import Predictions

TRUTH = np.array([[1.0, 0.2, 1.0, 50.0], [1.0, 0.4, 2.0, 100.0]])


def predictions(offset: float, spread: float, draws: int = 4000) -> Predictions:
    """Return normal estimates whose bias and deviation are so many scales of each parameter."""
    noise = np.random.default_rng(0).standard_normal((2, draws, 4))
    return {
        "test_truth": TRUTH,
        "test_estimates": TRUTH[:, None] + SCALES * (offset + spread * noise),
        "test_bound": np.broadcast_to((0.1 * SCALES) ** 2, TRUTH.shape),
    }


def test_bias_deviation_and_error_are_those_of_the_estimates() -> None:
    values = score("qmri", predictions(-0.2, 0.1))
    for name, scale in zip(("s0", "f", "ds", "df"), SCALES, strict=True):
        assert values[f"estimates/bias-{name}"] == pytest.approx(0.2 * scale, rel=0.02)
        assert values[f"estimates/sd-{name}"] == pytest.approx(0.1 * scale, rel=0.03)
        assert values[f"estimates/rmse-{name}"] == pytest.approx(0.05**0.5 * scale, rel=0.02)
    assert values["estimates/error"] == pytest.approx(0.05**0.5, rel=0.02)


def test_biases_of_two_signs_do_not_cancel() -> None:
    shifts = np.array([0.1, -0.1])[:, None, None] * SCALES
    own = {**predictions(0, 0, 2), "test_estimates": TRUTH[:, None] + shifts * np.ones((1, 2, 1))}
    assert score("qmri", own)["estimates/bias-df"] == pytest.approx(8)


def test_errors_are_made_of_bias_and_deviation() -> None:
    rows = case_values("qmri", predictions(0.3, 0.2, 10))
    rmse, bias, sd = (rows[f"values:estimates/{name}-ds"] for name in ("rmse", "bias", "sd"))
    assert rmse**2 == pytest.approx(bias**2 + sd**2 * 9 / 10)


def test_estimates_at_the_bound_are_below_it_as_often_as_chance_has_it() -> None:
    random = np.random.default_rng(1)
    truth = np.tile(TRUTH, (500, 1))
    own = {
        "test_truth": truth,
        "test_bound": np.tile((0.1 * SCALES) ** 2, (1000, 1)),
        "test_estimates": truth[:, None] + 0.1 * SCALES * random.standard_normal((1000, 20, 4)),
    }
    shares = [score("qmri", own)[f"cramer-rao/below-{name}"] for name in ("s0", "f", "ds", "df")]
    assert np.mean(np.array(shares, float)) == pytest.approx(0.05, abs=0.015)
    narrow = {**own, "test_bound": 4 * own["test_bound"]}
    assert score("qmri", narrow)["cramer-rao/below-f"] == pytest.approx(1, abs=0.01)


def test_the_guess_is_the_mean_of_the_truths() -> None:
    guesses = chances("qmri", predictions(0, 1))
    assert guesses["estimates/rmse-df"].value == pytest.approx(25)
    assert guesses["estimates/error"].value == pytest.approx(
        np.sqrt(np.mean((np.array([0, 0.1, 0.5, 25]) / SCALES) ** 2))
    )
    assert "estimates/sd-df" not in guesses

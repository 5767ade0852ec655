"""The law of variances of the example `fusion`, against scikit-learn and closed forms."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, r2_score

CASES, CLASSES = 30, 4


def spread(image: NDArray[Any], text: NDArray[Any], seed: int) -> NDArray[Any]:
    """Return variances of logits [N, K, 3] of variants [n] that each case scales by itself."""
    from fusion_trial import variances

    random = np.random.default_rng(seed)
    images = random.normal(size=(CASES, 1, CLASSES)) * np.array([0.0, *image])[:, None]
    texts = random.normal(size=(CASES, 1, CLASSES)) * np.array([0.0, *text])[:, None]
    of_logits: NDArray[Any] = variances(images, texts)["logit_variances"]
    return of_logits


def split_of(image: NDArray[Any], text: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
    return {"val_variances": spread(image, text, 0), "test_variances": spread(image, text, 1)}


def test_fit_and_scores_equal_least_squares_of_scikit_learn() -> None:
    from fusion_law import case_errors, law, terms

    draws = np.random.default_rng(0).gamma(2, size=(2, CASES, CLASSES, 3))
    predictions = {"val_variances": draws[0], "test_variances": draws[1]}
    values = law("variances", predictions)
    fitted, tested = (terms(split).reshape(-1, 3) for split in draws)
    of_val, of_test = (split[..., 2].ravel() for split in draws)
    model = LinearRegression(fit_intercept=False).fit(fitted, of_val)
    answers = model.predict(tested)
    assert [values[name] for name in ("b1", "b2", "b3")] == pytest.approx(list(model.coef_))
    assert values["r2"] == pytest.approx(r2_score(of_test, answers))
    assert values["mae"] == pytest.approx(mean_absolute_error(of_test, answers))
    assert case_errors("variances", predictions)["mae"].mean() == pytest.approx(values["mae"])


def test_variances_of_uncorrelated_logits_add_up() -> None:
    from fusion_law import law

    # All pairs of two variants of the image and two of the text.
    values = law("variances", split_of(np.array([-1, -1, 1, 1.0]), np.array([-2, 2, -2, 2.0])))
    assert [values[name] for name in ("b1", "b2", "b3", "r2", "mae")] == pytest.approx(
        [1, 1, 0, 1, 0], abs=1e-9
    )
    assert values["b1-low"] == pytest.approx(values["b1-high"])


def test_variants_that_move_together_are_seen_in_the_third_coefficient() -> None:
    from fusion_law import fit, terms

    moves = np.array([-1, 0.5, 2, 1])
    variances = spread(moves, moves, 0)
    # Of two logits with a correlation of 1 or -1: V = V_I + V_T +- 2 C.
    rest = (variances[..., 2] - variances[..., 0] - variances[..., 1]) / terms(variances)[..., 2]
    assert np.abs(rest) == pytest.approx(2.0)
    alike = variances[(rest > 0).all(axis=1)]
    assert fit(alike) == pytest.approx([1, 1, 2])


@pytest.mark.parametrize("still", [0, 1], ids=["blank images", "one text"])
def test_no_law_is_made_up_where_an_input_does_not_vary(still: int) -> None:
    from fusion_law import case_errors, law

    moves = [np.array([-1, 1.0]), np.array([-1, 1.0])]
    moves[still] = np.zeros(2)
    predictions = split_of(*moves)
    assert law("variances", predictions) == case_errors("variances", predictions) == {}


def test_bounds_come_of_whole_patients() -> None:
    from fusion_law import DRAWS, law, resamples

    patients = np.repeat(np.arange(10), 3)
    rows = list(resamples(CASES, patients))
    assert len(rows) == DRAWS
    for draw in rows[:50]:
        assert len(draw) == CASES
        times = np.bincount(draw, minlength=CASES).reshape(10, 3)
        assert (times == times[:, :1]).all()
    draws = np.random.default_rng(0).gamma(2, size=(2, CASES, CLASSES, 3))
    predictions = {"val_variances": draws[0], "test_variances": draws[1]}
    alone = law("variances", predictions | {"test_group": np.zeros(CASES)})
    assert alone["r2-low"] == alone["r2"] == alone["r2-high"]
    wide = law("variances", predictions)
    assert wide["r2-low"] < wide["r2"] < wide["r2-high"]
    assert [wide[f"b1{bound}"] for bound in ("-low", "-high")] == [
        alone[f"b1{bound}"] for bound in ("-low", "-high")
    ]

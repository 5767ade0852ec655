"""The law V = b1 V_I + b2 V_T + b3 C: its fit on validation cases, its error on test cases.

V_I, V_T and V are the variances of an answer over variants of the image, of the text and of both,
and C = sqrt(V_I V_T). Each class of each case gives one equation; there is no intercept. No torch.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench import Predictions

DRAWS, BOUNDS = 1000, (0.025, 0.975)  # of the bootstrap
NAMES = ("b1", "b2", "b3", "r2", "mae")
Floats = NDArray[np.float64]


def terms(variances: NDArray[Any]) -> Floats:
    """Return (V_I, V_T, C) [N, K, 3] of variances (V_I, V_T, V) [N, K, 3]."""
    image, text = variances[..., 0], variances[..., 1]
    return np.stack([image, text, np.sqrt(image * text)], axis=-1)


def fit(variances: NDArray[Any]) -> Floats | None:
    """Return b [3] by least squares; None where the variances do not tell the three apart."""
    left, right = terms(variances).reshape(-1, 3), variances[..., 2].ravel()
    solution, _, rank, _ = np.linalg.lstsq(left, right, rcond=None)
    return solution if rank == 3 else None


def scores(variances: NDArray[Any], b: Floats) -> tuple[float, float]:
    """Return R2 and MAE of the law with b, over all classes of all cases."""
    both = variances[..., 2]
    errors = both - terms(variances) @ b
    squares = np.square(both - both.mean()).sum()
    return float(1 - np.square(errors).sum() / squares), float(np.abs(errors).mean())


def case_errors(name: str, predictions: Predictions) -> Mapping[str, Floats]:
    """Return each test case's mean absolute error over classes, [N]; {} where there is no law."""
    b = fit(predictions[f"val_{name}"])
    test = predictions[f"test_{name}"]
    return {} if b is None else {"mae": np.abs(test[..., 2] - terms(test) @ b).mean(axis=1)}


def law(name: str, predictions: Predictions) -> Mapping[str, float]:
    """Return b, R2 and MAE with their bounds `NAME-low` and `NAME-high`; {} where there is no law.

    The bounds of b are of drawn validation cases, those of R2 and MAE of drawn test cases.
    """
    val, test = predictions[f"val_{name}"], predictions[f"test_{name}"]
    b = fit(val)
    if b is None:
        return {}
    fits = (fit(val[rows]) for rows in resamples(len(val), predictions.get("val_group")))
    fitted = np.array([draw for draw in fits if draw is not None])
    tests = resamples(len(test), predictions.get("test_group"))
    scored = np.array([scores(test[rows], b) for rows in tests])
    bounds = np.hstack([np.quantile(draws, BOUNDS, axis=0) for draws in (fitted, scored)])
    numbers = np.stack([(*b, *scores(test, b)), *bounds])
    return {
        f"{metric}{bound}": float(number)
        for bound, row in zip(("", "-low", "-high"), numbers, strict=True)
        for metric, number in zip(NAMES, row, strict=True)
    }


def resamples(cases: int, groups: NDArray[Any] | None) -> Iterator[NDArray[np.int64]]:
    """Yield DRAWS times the rows of drawn patients, or of drawn cases where none is known."""
    _, member = np.unique(np.arange(cases) if groups is None else groups, return_inverse=True)
    rows = [np.flatnonzero(member == patient) for patient in range(member.max() + 1)]
    random = np.random.default_rng(0)
    for _ in range(DRAWS):
        yield np.concatenate([rows[each] for each in random.integers(len(rows), size=len(rows))])

"""Metrics of estimated parameters from stored predictions, in numpy.

Predictions hold `test_truth` [N, 4], `test_estimates` [N, draws, 4] and `test_bound` [N, 4], the
Cramer-Rao bound of each parameter's variance at each true parameter. A case is a true parameter.
Where ONNX Runtime estimates, `test_torch_estimates` [N, draws, 4] are torch's.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.data.ivim.model import SCALES
from omnibench.data.ivim.protocol import PARAMETERS
from omnibench.task import Chance, Metric, Predictions, metrics_of_pass

Floats = NDArray[np.float64]
PerCase = Callable[[Predictions], Mapping[str, Floats]]
UNITS = {"s0": "signal", "f": "points", "ds": "1e-3 mm2/s", "df": "1e-3 mm2/s"}
LEVEL = 0.05  # of the test by which a variance is below its bound
PARITY = 1e-4  # of the largest estimate of a parameter: by how much two runtimes may differ


def errors(predictions: Predictions) -> Floats:
    """Return estimate - truth, float64 [N, draws, 4]."""
    truth = predictions["test_truth"][:, None]
    difference: Floats = predictions["test_estimates"].astype(np.float64) - truth
    return difference


def scaled(predictions: Predictions) -> dict[str, Floats]:
    """Return [N]: the root of the mean square of all errors, each over its parameter's scale."""
    return {"error": np.sqrt(np.mean((errors(predictions) / SCALES) ** 2, axis=(1, 2)))}


def rmse_of(name: str) -> PerCase:
    """Return what gives [N]: the root of the mean square over draws of a parameter's error."""
    return _of_parameter("rmse", name, lambda error: np.sqrt(np.mean(error**2, axis=1)))


def bias_of(name: str) -> PerCase:
    """Return what gives [N]: the absolute value of a parameter's mean error over draws."""
    return _of_parameter("bias", name, lambda error: np.abs(error.mean(axis=1)))


def sd_of(name: str) -> PerCase:
    """Return what gives [N]: the standard deviation over draws (n - 1) of a parameter."""
    return _of_parameter("sd", name, lambda error: error.std(axis=1, ddof=1))


def _of_parameter(what: str, name: str, measure: Callable[[Floats], Floats]) -> PerCase:
    def per_case(predictions: Predictions) -> dict[str, Floats]:
        error = errors(predictions)[..., PARAMETERS.index(name)]
        return {f"{what}-{name}": measure(error)}

    return per_case


def below_bound(predictions: Predictions) -> dict[str, Floats]:
    """Return per parameter [N] 1 where the variance lies below its bound by more than chance.

    One-sided chi-square test at LEVEL, exact where estimates are normal: of an estimator without
    bias that reaches the bound a share LEVEL is.
    """
    from scipy.stats import chi2

    estimates = predictions["test_estimates"].astype(np.float64)
    freedom = estimates.shape[1] - 1
    ratio = estimates.var(axis=1, ddof=1) / predictions["test_bound"]
    below = (ratio * freedom < chi2.ppf(LEVEL, freedom)).astype(np.float64)
    return {f"below-{name}": below[:, place] for place, name in enumerate(PARAMETERS)}


def parity(predictions: Predictions) -> dict[str, float | None]:
    """Return how far another runtime's estimates are from torch's; {} where torch alone answered.

    max-rel-parameter is the largest difference of an estimate by torch's largest of that parameter,
    of the worst parameter; `passed` is 1 where it is within PARITY.
    """
    if "test_torch_estimates" not in predictions:
        return {}
    own, torch = (
        predictions[name].astype(np.float64).reshape(-1, len(PARAMETERS))
        for name in ("test_estimates", "test_torch_estimates")
    )
    off, largest = np.abs(own - torch).max(axis=0), np.abs(torch).max(axis=0)
    return {
        "passed": float((off <= PARITY * largest).all()),
        "max-rel-parameter": float((off / largest).max()) if largest.all() else None,
    }


def _means(per_case: PerCase) -> Callable[[Predictions], dict[str, float | None]]:
    def means(predictions: Predictions) -> dict[str, float | None]:
        return {name: float(values.mean()) for name, values in per_case(predictions).items()}

    return means


def _chance(per_case: PerCase) -> Callable[[Predictions], dict[str, Chance]]:
    def chance(predictions: Predictions) -> dict[str, Chance]:
        truth = predictions["test_truth"]
        guess = np.broadcast_to(truth.mean(axis=0), (len(truth), 1, truth.shape[1]))
        values = per_case({"test_truth": truth, "test_estimates": guess})
        return {
            name: Chance(float(own.mean()), "the mean of the true parameters")
            for name, own in values.items()
        }

    return chance


def _metrics(
    definition: str, names: tuple[str, ...], per_case: PerCase, **facts: Any
) -> tuple[Metric, ...]:
    return metrics_of_pass(
        definition, names, _means(per_case), per_case=per_case, down=names, **facts
    )


METRICS = (
    *_metrics("estimates", ("error",), scaled, reported=("error",), chance=_chance(scaled)),
    *(
        metric
        for name in PARAMETERS
        for metric in _metrics(
            "estimates",
            (f"rmse-{name}",),
            rmse_of(name),
            reported=(f"rmse-{name}",),
            unit=UNITS[name],
            chance=_chance(rmse_of(name)),
        )
    ),
    *(
        metric
        for what, measure in (("bias", bias_of), ("sd", sd_of))
        for name in PARAMETERS
        for metric in _metrics(
            "estimates",
            (f"{what}-{name}",),
            measure(name),
            reported=(f"{what}-{name}",),
            unit=UNITS[name],
        )
    ),
    *_metrics(
        "cramer-rao",
        tuple(f"below-{name}" for name in PARAMETERS),
        below_bound,
        reported=tuple(f"below-{name}" for name in PARAMETERS),
    ),
    Metric("onnx-parity/passed", parity, unit="share of exports"),
    Metric(
        "onnx-parity/max-rel-parameter",
        parity,
        unit="share of the largest estimate",
        direction="down",
    ),
)

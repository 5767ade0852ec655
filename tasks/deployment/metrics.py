"""How good the exported classifier is, and how far it is from torch's.

Predictions hold `test_logits` [N, C] of ONNX Runtime, `test_torch_logits` [N, C] of torch in
float32, `test_labels` as of classification, and `parity_bound` [1]: by which share of the largest
logit the two may differ; infinite where the graph's weights are others by intention.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.task import Metric, Predictions, metrics_of_pass
from omnibench.tasks.classification import chance
from omnibench.tasks.classification.metrics import omnirad_classification

AUC_BOUND = 1e-4
SHOWN = ("auc", "macro-f1", "accuracy")


def parity(predictions: Predictions) -> Mapping[str, float | None]:
    """Return how far the runtime's logits are from torch's.

    max-abs is the largest difference d of any logit; max-rel is that by torch's largest logit;
    min-cosine the smallest cosine of two vectors of logits; argmax-agreement the share of images of
    one class (of decisions at logit 0, where there are several labels); auc-difference that of the
    AUCs. `passed` is 1 where max-rel is within the bound and the AUCs within 1e-4. The class is
    then the same wherever torch's two largest logits are more than 2 d apart.
    """
    own, torch = _logits(predictions, "test_logits"), _logits(predictions, "test_torch_logits")
    off, largest = float(np.abs(own - torch).max()), float(np.abs(torch).max())
    areas = (auc(predictions, "test_logits"), auc(predictions, "test_torch_logits"))
    area_off = None if areas[0] is None or areas[1] is None else abs(areas[0] - areas[1])
    bound = float(predictions["parity_bound"][0])
    passed = off <= bound * largest and (area_off is None or area_off <= AUC_BOUND)
    return {
        "passed": float(passed),
        "max-abs": off,
        "max-rel": off / largest if largest else None,
        "min-cosine": _cosine(own, torch),
        "argmax-agreement": _agreement(own, torch, predictions["test_labels"].ndim == 2),
        "auc-difference": area_off,
    }


def auc(predictions: Predictions, name: str) -> float | None:
    """Return the AUC of some logits, as of classification."""
    labels = predictions["test_labels"]
    return omnirad_classification({"test_logits": predictions[name], "test_labels": labels})["auc"]


def _logits(predictions: Predictions, name: str) -> NDArray[np.float64]:
    return predictions[name].astype(np.float64)


def _cosine(own: NDArray[np.float64], torch: NDArray[np.float64]) -> float | None:
    """Return the smallest cosine of rows; None where one of them is zero."""
    norms = np.linalg.norm(own, axis=1) * np.linalg.norm(torch, axis=1)
    if not norms.all():
        return None
    return float(((own * torch).sum(axis=1) / norms).min())


def _agreement(own: NDArray[Any], torch: NDArray[Any], several: bool) -> float:
    if several:
        return float(((own > 0) == (torch > 0)).mean())
    return float((own.argmax(axis=1) == torch.argmax(axis=1)).mean())


METRICS = (
    *metrics_of_pass(
        "omnirad-classification",
        (*SHOWN, "auc-*"),
        omnirad_classification,
        reported=SHOWN,
        chance=chance.omnirad_classification,
    ),
    Metric("onnx-parity/passed", parity, unit="share of exports"),
    Metric("onnx-parity/max-abs", parity, unit="logits", direction="down", reported=False),
    Metric("onnx-parity/max-rel", parity, unit="share of the largest logit", direction="down"),
    Metric("onnx-parity/min-cosine", parity, unit="cosine", reported=False),
    Metric("onnx-parity/argmax-agreement", parity),
    Metric("onnx-parity/auc-difference", parity, direction="down", reported=False),
)

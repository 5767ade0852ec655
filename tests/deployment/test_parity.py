"""How far two sets of logits are apart, against plain loops and closed forms."""

import math
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from omnibench.errors import RequestError
from omnibench.tasks.deployment import DeploymentTask
from omnibench.tasks.deployment.metrics import parity

RNG = np.random.default_rng(0)
TORCH = RNG.normal(size=(40, 3)).astype(np.float32)
LABELS = np.arange(40) % 3


def predictions(logits: Any, **changed: Any) -> dict[str, Any]:
    whole = {
        "test_logits": logits.astype(np.float32),
        "test_torch_logits": TORCH,
        "test_labels": LABELS,
        "parity_bound": np.array([1e-4]),
    }
    return {**whole, **changed}


def test_distances_are_those_of_plain_loops() -> None:
    own = TORCH + RNG.normal(scale=0.3, size=TORCH.shape).astype(np.float32)
    result = parity(predictions(own))
    off = [abs(float(a) - float(b)) for x, y in zip(own, TORCH, strict=True) for a, b in zip(x, y)]  # noqa: B905
    assert result["max-abs"] == pytest.approx(max(off), rel=1e-6)
    assert result["max-rel"] == pytest.approx(max(off) / np.abs(TORCH).max(), rel=1e-6)
    cosines = [
        float(np.dot(a.astype(float), b.astype(float)))
        / math.sqrt(float(np.dot(a.astype(float), a)) * float(np.dot(b.astype(float), b)))
        for a, b in zip(own, TORCH, strict=True)
    ]
    assert result["min-cosine"] == pytest.approx(min(cosines), rel=1e-5)
    same = [max(range(3), key=lambda k: a[k]) == max(range(3), key=lambda k: b[k])
            for a, b in zip(own, TORCH, strict=True)]  # fmt: skip
    assert result["argmax-agreement"] == pytest.approx(sum(same) / 40)

    def area(logits: Any) -> float:
        wide = logits.astype(float)
        shares = np.exp(wide) / np.exp(wide).sum(axis=1, keepdims=True)
        return float(roc_auc_score(LABELS, shares, multi_class="ovr"))

    assert result["auc-difference"] == pytest.approx(abs(area(own) - area(TORCH)), abs=1e-12)
    assert result["passed"] == 0


@pytest.mark.parametrize(
    ("off", "bound", "passed"), [(0.9e-4, 1e-4, 1), (1.1e-4, 1e-4, 0), (9e-4, np.inf, 1)]
)
def test_the_bound_is_a_share_of_the_largest_logit(off: float, bound: float, passed: int) -> None:
    own = TORCH.astype(np.float64)
    own[0, 0] += off * np.abs(TORCH).max()
    assert parity(predictions(own, parity_bound=np.array([bound])))["passed"] == passed


def test_several_labels_agree_by_decisions_and_what_is_undefined_is_none() -> None:
    labels = np.zeros((40, 3), np.int64)
    labels[:, 0] = LABELS == 0
    own = TORCH.copy()
    own[0, 1] = -TORCH[0, 1]
    result = parity(predictions(own, test_labels=labels))
    assert result["argmax-agreement"] == pytest.approx(119 / 120)
    assert result["auc-difference"] is None  # of labels that no image shows
    nothing = np.zeros_like(TORCH)
    result = parity(predictions(nothing, test_torch_logits=nothing))
    assert (result["max-rel"], result["min-cosine"], result["passed"]) == (None, None, 1)


def test_an_operator_set_that_is_too_old_is_refused_by_its_path() -> None:
    adaptation = DeploymentTask.own["onnx"]
    with pytest.raises(RequestError, match=r"onnx\.opset: .*opset 17 is too old"):
        adaptation.resolve_options({"opset": 17}, "matrix[0].adaptations[0]")

"""Synthetic records whose metrics come from scikit-learn, not from the code under test."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    roc_auc_score,
)

from omnibench.stats.cases import Stored
from omnibench.stats.result import Answer, RefusedError

DEFINITIONS = {
    "omnirad-classification": ("macro-f1", "accuracy", "auc"),
    "omnibench-classification": ("balanced-accuracy", "brier"),
}


def answered(found: Answer | RefusedError) -> Answer:
    assert isinstance(found, Answer), found
    return found


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    result: NDArray[Any] = powers / powers.sum(axis=1, keepdims=True)
    return result


def sklearn_metrics(logits: NDArray[Any], labels: NDArray[Any]) -> dict[str, Any]:
    decided, shares = logits.argmax(axis=1), softmax(logits)
    binary = logits.shape[1] == 2
    return {
        "macro-f1": f1_score(labels, decided, average="macro"),
        "accuracy": accuracy_score(labels, decided),
        "balanced-accuracy": balanced_accuracy_score(labels, decided),
        "auc": roc_auc_score(labels, logits[:, 1].astype(np.float64) - logits[:, 0])
        if binary
        else roc_auc_score(labels, shares, multi_class="ovr"),
        "brier": brier_score_loss(labels, shares[:, 1]) * 2
        if binary
        else np.mean(((shares - np.eye(logits.shape[1])[labels]) ** 2).sum(axis=1)),
    }


class Records:
    """Long values and stored predictions, as the store would give them."""

    def __init__(self) -> None:
        self.rows, self.stored, self.reads = list[Any](), dict[str, Any](), list[Any]()

    def add(
        self,
        backbone: str,
        logits: NDArray[Any],
        labels: NDArray[Any],
        dataset: str = "d",
        varies: str = "head seed",
        **arrays: NDArray[Any],
    ) -> None:
        """One record for each repetition of logits [R, N, C]."""
        for k, item in enumerate(logits):
            digest = self.store(
                f"{dataset}/{backbone}/{k}", test_logits=item, test_labels=labels, **arrays
            )
            for definition, names in DEFINITIONS.items():
                for name, value in sklearn_metrics(item, labels).items():
                    if name in names:
                        self.row(backbone, k, name, value, dataset, varies, definition, digest)

    def store(self, name: str, **arrays: NDArray[Any]) -> str:
        digest = hashlib.sha256(name.encode()).hexdigest()
        cases = {"test_case": np.arange(len(arrays["test_labels"]))}
        self.stored[digest] = cases | arrays
        return digest

    def row(
        self,
        backbone: str,
        repetition: int,
        metric: str,
        value: float,
        dataset: str = "d",
        varies: str = "training seed",
        definition: str = "def",
        digest: str | None = None,
        pairing: str | None = None,
    ) -> None:
        name = f"{dataset}/{backbone}/{repetition}"
        self.rows.append(
            {
                "task": "classification",
                "dataset": dataset,
                "backbone": backbone,
                "adaptation": "linear",
                "repetition": repetition,
                "definition": definition,
                "metric": metric,
                "value": value,
                "digest": digest or hashlib.sha256(name.encode()).hexdigest(),
                "pairing": pairing or f"{dataset}-{repetition}",
                "varies": varies,
                "control": backbone.startswith("random"),
            }
        )

    @property
    def values(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows)

    def predictions(self, digest: str) -> Stored:
        self.reads.append(digest)
        return Stored(self.stored[digest])


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def make_logits() -> Callable[..., Any]:
    def make(
        seed: int, labels: NDArray[Any], repetitions: int = 3, classes: int = 2, signal: float = 1.0
    ) -> NDArray[Any]:
        """Logits [R, N, C] of one model: repetitions differ a little."""
        rng = np.random.default_rng(seed)
        shared = rng.normal(size=(len(labels), classes)) + signal * np.eye(classes)[labels]
        jitter = 0.1 * rng.normal(size=(repetitions, *shared.shape))
        result: NDArray[Any] = (shared + jitter).astype(np.float32)
        return result

    return make

"""Synthetic records whose metrics come from scikit-learn, not from the code under test."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    roc_auc_score,
)

from omnibench.stats.cases import Stored

DEFINITIONS = {
    "omnirad-classification": ("macro-f1", "accuracy", "auc"),
    "omnibench-classification": ("balanced-accuracy", "brier"),
}


def softmax(logits):
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def sklearn_metrics(logits, labels):
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

    def __init__(self):
        self.rows, self.stored, self.reads = [], {}, []

    def add(self, backbone, logits, labels, dataset="d", varies="head seed", **arrays):
        """One record for each repetition of logits [R, N, C]."""
        for k, one in enumerate(logits):
            digest = self.store(
                f"{dataset}/{backbone}/{k}", test_logits=one, test_labels=labels, **arrays
            )
            for definition, names in DEFINITIONS.items():
                for name, value in sklearn_metrics(one, labels).items():
                    if name in names:
                        self.row(backbone, k, name, value, dataset, varies, definition, digest)

    def store(self, name, **arrays):
        digest = hashlib.sha256(name.encode()).hexdigest()
        cases = {"test_case": np.arange(len(arrays["test_labels"]))}
        self.stored[digest] = cases | arrays
        return digest

    def row(
        self,
        backbone,
        repetition,
        metric,
        value,
        dataset="d",
        varies="training seed",
        definition="def",
        digest=None,
        pairing=None,
    ):
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
    def values(self):
        return pd.DataFrame(self.rows)

    def predictions(self, digest):
        self.reads.append(digest)
        return Stored(self.stored[digest])


@pytest.fixture
def records():
    return Records()


@pytest.fixture
def make_logits():
    def make(seed, labels, repetitions=3, classes=2, signal=1.0):
        """Logits [R, N, C] of one model: repetitions differ a little."""
        rng = np.random.default_rng(seed)
        shared = rng.normal(size=(len(labels), classes)) + signal * np.eye(classes)[labels]
        jitter = 0.1 * rng.normal(size=(repetitions, *shared.shape))
        return (shared + jitter).astype(np.float32)

    return make

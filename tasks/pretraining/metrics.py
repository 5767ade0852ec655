"""What a pretraining is summed up by, from its stored course. No torch here."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.task import Metric, Predictions, metrics_of_pass

FIGURES = (
    *("loss", "dino", "ibot", "koleo", "gradient_norm", "lr", "temperature", "momentum"),
    *("teacher_entropy", "kl_uniform", "feature_std", "effective_rank"),
)
# The same of a masked autoencoder.
MASKED = (
    *("loss", "gradient_norm", "lr", "feature_std", "effective_rank"),
    *("val_loss", "val_psnr"),
)
KNN = ("knn_accuracy", "knn_auc")


def course(predictions: Predictions) -> Mapping[str, float | None]:
    """Return the last line's loss and mean entropy of the teacher's answers, both in nats.

    None of a training that has no teacher.
    """
    names = ("loss", "teacher_entropy")
    if "teacher_entropy" not in predictions:
        return {}
    return {name.replace("_", "-"): float(predictions[name][-1]) for name in names}


def effective_rank(predictions: Predictions) -> float:
    """Return the effective rank of the features of a batch at the last line."""
    return float(predictions["effective_rank"][-1])


def online_knn(predictions: Predictions) -> Mapping[str, float | None]:
    """Return the last online kNN; None where there was none, or its AUC is undefined."""
    return {name.removeprefix("knn_"): _last(predictions[name]) for name in KNN}


def masked_mse(predictions: Predictions) -> Mapping[str, float | None]:
    """Return the last loss on validation images; None where there are none.

    Nothing of a training that hides no patches.
    """
    return {"masked-mse": _last(predictions["val_loss"])} if "val_loss" in predictions else {}


def psnr(predictions: Predictions) -> Mapping[str, float | None]:
    """Return the last PSNR of hidden pixels of validation images; otherwise as `masked_mse`."""
    return {"psnr": _last(predictions["val_psnr"])} if "val_psnr" in predictions else {}


def _last(values: NDArray[Any]) -> float | None:
    defined = values[~np.isnan(values)]
    return float(defined[-1]) if len(defined) else None


METRICS = (
    *metrics_of_pass("online-knn", ("accuracy", "auc"), online_knn, reported=("accuracy", "auc")),
    *metrics_of_pass(
        "pretraining-course",
        ("loss", "teacher-entropy"),
        course,
        reported=("loss",),
        down=("loss",),
        neither=("teacher-entropy",),  # ln K where it says nothing, 0 where it has collapsed
        unit="nats",
    ),
    Metric("feature-spread/effective-rank", effective_rank, unit="dimensions"),
    Metric("reconstruction/masked-mse", masked_mse, unit="squared", direction="down"),
    Metric("reconstruction/psnr", psnr, unit="dB"),
)

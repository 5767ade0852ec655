"""What a pretraining is summed up by, from its stored course. No torch here."""

from collections.abc import Mapping

import numpy as np

from omnibench.task import Metric, Predictions, metrics_of_pass

FIGURES = (
    *("loss", "dino", "ibot", "koleo", "gradient_norm", "lr", "temperature", "momentum"),
    *("teacher_entropy", "kl_uniform", "feature_std", "effective_rank"),
)
KNN = ("knn_accuracy", "knn_auc")


def course(predictions: Predictions) -> Mapping[str, float | None]:
    """The last line's loss and the mean entropy of the teacher's answers, both in nats."""
    names = ("loss", "teacher_entropy")
    return {name.replace("_", "-"): float(predictions[name][-1]) for name in names}


def effective_rank(predictions: Predictions) -> float:
    """Return the effective rank of the teacher's class tokens at the last line."""
    return float(predictions["effective_rank"][-1])


def online_knn(predictions: Predictions) -> Mapping[str, float | None]:
    """The last online kNN evaluation; None where there was none, or its AUC is undefined."""
    last: dict[str, float | None] = {}
    for name in KNN:
        values = predictions[name][~np.isnan(predictions[name])]
        last[name.removeprefix("knn_")] = float(values[-1]) if len(values) else None
    return last


METRICS = (
    *metrics_of_pass("online-knn", ("accuracy", "auc"), online_knn, reported=("accuracy", "auc")),
    *metrics_of_pass(
        "pretraining-course",
        ("loss", "teacher-entropy"),
        course,
        reported=("loss",),
        down=("loss", "teacher-entropy"),
        unit="nats",
    ),
    Metric("feature-spread/effective-rank", effective_rank, unit="dimensions"),
)

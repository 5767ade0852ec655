"""What a pretraining is summed up by, from its stored course. No torch here."""

from collections.abc import Mapping

import numpy as np

from omnibench.task import Definition, Predictions

FIGURES = (
    *("loss", "dino", "ibot", "koleo", "gradient_norm", "lr", "temperature", "momentum"),
    *("teacher_entropy", "kl_uniform", "feature_std", "effective_rank"),
)
KNN = ("knn_accuracy", "knn_auc")


def course(predictions: Predictions) -> Mapping[str, float | None]:
    """The last line's loss and the mean entropy of the teacher's answers, both in nats."""
    names = ("loss", "teacher_entropy")
    return {name.replace("_", "-"): float(predictions[name][-1]) for name in names}


def spread(predictions: Predictions) -> Mapping[str, float | None]:
    """The last line's effective rank of the teacher's class tokens."""
    return {"effective-rank": float(predictions["effective_rank"][-1])}


def online_knn(predictions: Predictions) -> Mapping[str, float | None]:
    """The last online kNN evaluation; None where there was none, or its AUC is undefined."""
    found: dict[str, float | None] = {}
    for name in KNN:
        values = predictions[name][~np.isnan(predictions[name])]
        found[name.removeprefix("knn_")] = float(values[-1]) if len(values) else None
    return found


DEFINITIONS = {
    definition.id: definition
    for definition in (
        Definition(
            "pretraining-course",
            course,
            lower_is_better=frozenset({"loss", "teacher-entropy"}),
            unit="nats",
        ),
        Definition("feature-spread", spread, unit="dimensions"),
        Definition("online-knn", online_knn),
    )
}

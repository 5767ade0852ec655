"""MedMNIST-C's balanced errors of a model, normalised by AlexNet's."""

from collections.abc import Mapping

from omnibench.data.corruptions.alexnet import ALEXNET, Errors
from omnibench.data.corruptions.kinds import SEVERITIES, name_of
from omnibench.report.viewed import Finished, Shown
from omnibench.stats.cases import Predictions
from omnibench.stats.influence import Influence
from omnibench.stats.shift import Measured, mean_of, scaled
from omnibench.stats.units import Score

BALANCED = "balanced-accuracy"  # what the errors are 1 less
Severities = tuple[int, ...]


def balanced_errors_of(
    finished: Finished, severities: Mapping[str, Severities], predictions: Predictions
) -> tuple[Measured | None, Measured | None]:
    """Return BE and rBE of a model; None where its list of corruptions was not run whole."""
    errors = ALEXNET.get(name_of(finished.unit.dataset.id))
    score = _balanced_score(finished)
    if errors is None or score is None:
        return None, None
    if any(severities.get(name) != SEVERITIES for name in errors.corrupted):
        return None, None
    views = ["", *(f"{name}-{s}" for name in errors.corrupted for s in SEVERITIES)]
    viewed = finished.read(score, views, predictions)
    be, rbe = balanced_errors(viewed.metrics, errors)
    shown = Shown(viewed.reason)
    return shown(be), shown(rbe)


def balanced_errors(
    metrics: Mapping[str, Influence], errors: Errors
) -> tuple[Influence, Influence]:
    """Return BE and rBE: means over corruptions of errors over AlexNet's.

    Args:
        metrics: view -> balanced accuracy, "" of the clean test images.
        errors: AlexNet's on the same dataset.

    Source:
        Di Salvo et al. 2024 (arXiv:2406.17536): BE_c = mean_s e_cs / a_c and rBE_c = (mean_s e_cs -
        e_clean) / (a_c - a_clean), with errors e of the model and a of AlexNet.
    """
    names = list(errors.corrupted)
    clean = scaled(metrics[""], -1.0, 1.0)
    means = [
        scaled(mean_of([metrics[f"{name}-{s}"] for s in SEVERITIES]), -1.0, 1.0) for name in names
    ]
    own = [
        scaled(mean, 1 / errors.corrupted[name]) for name, mean in zip(names, means, strict=True)
    ]
    beyond = [
        scaled(mean.minus(clean), 1 / (errors.corrupted[name] - errors.clean))
        for name, mean in zip(names, means, strict=True)
    ]
    return mean_of(own), mean_of(beyond)


def _balanced_score(finished: Finished) -> Score | None:
    """Return the definition that holds a unit's balanced accuracy; None where none does."""
    record = next(iter(finished.records.values()))
    for name in record["metrics"]:
        definition, _, metric = name.partition("/")
        if metric == BALANCED and "@" not in definition:
            return definition, metric
    return None

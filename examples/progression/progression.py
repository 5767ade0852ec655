"""The task `progression`: how loads of regions go on, from a patient's earlier visits."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import omnibench
from omnibench import Adaptation, Context, Metric, Outcome, Predictions, Unit

NEEDS = (
    "it takes `study` and `place` of images, two or more a patient over up to 6 years, and as "
    "`Numbers` the `loads` of a square grid of K regions, `graph` [K, K] and `onset` of patients"
)
EXPERTS = ("diffusion", "reaction", "free")
SMALL = omnibench.TrainingRecipe(input_size=64, epochs=40, batch=40, lr=0.1, precision="fp32")


def per_patient(predictions: Predictions) -> Mapping[str, NDArray[Any]]:
    """Return each test patient's errors at the last visit, and of the onset where it is known."""
    from scipy.stats import spearmanr  # slow to import, and not needed to list the task

    predicted, truth = predictions["test_predicted"], predictions["test_truth"]
    ranks = [spearmanr(*pair).statistic for pair in zip(predicted, truth, strict=True)]
    own = {"mae": abs(predicted - truth).mean(axis=1), "spearman": np.array(ranks)}
    if np.isfinite(predictions.get("test_true_onset", np.nan)).all():
        gap = predictions["test_onset"] - predictions["test_true_onset"]
        own["onset-error"] = abs(gap - gap.mean())  # the axis has no origin of its own
    return own


def over_patients(predictions: Predictions) -> Mapping[str, float]:
    """Return the means over patients, and R2 of all their regions together."""
    truth = predictions["test_truth"]
    error = ((predictions["test_predicted"] - truth) ** 2).sum()
    means = {name: float(values.mean()) for name, values in per_patient(predictions).items()}
    return {**means, "r2": float(1 - error / ((truth - truth.mean()) ** 2).sum())}


def stages(predictions: Predictions) -> Mapping[str, float]:
    """Return the weights of experts, early and late."""
    weights = predictions.get("stage_weights", np.empty(0)).flatten().tolist()
    names = [f"{name}-{stage}" for stage in ("early", "late") for name in EXPERTS]
    return dict(zip(names, weights, strict=False))


class Progression(omnibench.Task):
    """The load of each region at a patient's last visit, from those before."""

    name = "progression"
    version = 1  # to be raised when its numbers change
    metrics = (
        Metric("progression/mae", over_patients, direction="down", per_case=per_patient),
        Metric("progression/r2", over_patients),
        Metric("progression/spearman", over_patients, per_case=per_patient),
        Metric("progression/onset-error", over_patients, "years", "down", per_patient),
        Metric("stages/*", stages, direction=None, reported=False),
    )
    own = {
        name: Adaptation(name, trains, varies, {"small": SMALL}, frozen_kind="maps")
        for name, trains, varies in (
            ("persistence", "nothing: the state stays", "nothing"),
            ("diffusion", "the rate of diffusion over the graph", "training seed"),
            ("fkpp", "rates of diffusion and of logistic growth", "training seed"),
            ("ode", "a network of all regions", "training seed"),
            ("ignd-moe", "diffusion, reaction and a network, by stage", "training seed"),
        )
    }

    def refusals(self, unit: Unit, facts: Mapping[str, Any]) -> Iterator[str]:
        """Yield what a local dataset must have and lacks."""
        visits = facts.get("visits", {}).values()
        if min(visits, default=2) < 2 or (visits and len(facts["numbers"]) < 3):
            yield NEEDS

    def run(self, unit: Unit, context: Context) -> Iterator[Outcome]:
        """Yield one outcome a repetition."""
        if not self.own[unit.adaptation].deterministic:
            return super().run(unit, context)
        from progression_trial import run_persistence

        return run_persistence(unit, context)

    def prepare(self, unit: Unit, context: Context) -> "Callable[[int], omnibench.Trial]":
        """Read the patients of every split; return what makes the trial of a repetition."""
        from progression_trial import ProgressionTrial, cohorts_of

        forest = cohorts_of(unit, context)
        return lambda _: ProgressionTrial(unit, context, forest)


omnibench.register_task(Progression())

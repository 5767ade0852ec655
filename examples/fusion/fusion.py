"""The task `fusion`: a class from an image and its text, and how uncertainty passes through both.

After MUPM (arXiv:2507.12945). What imports torch stands in `fusion_trial.py`.
"""

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any

import numpy as np
from fusion_law import NAMES, case_errors, law
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

import omnibench
from omnibench import Adaptation, Chance, Context, DatasetCard, Metric, Predictions, Unit


class FusionOptions(BaseModel):
    """Options of `fusion`.

    Attributes:
        n: variants of each image and of each text, over which variances are taken.
        drop: the share of a text's words that a variant lacks, on average.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: Annotated[int, Field(ge=2)] = 20
    drop: Annotated[float, Field(gt=0, lt=1)] = 0.3


def right(predictions: Predictions) -> NDArray[Any]:
    """Return 1 of each test case [N] whose class is answered, else 0."""
    answers = predictions["test_logits"].argmax(axis=1)
    return np.asarray(answers == predictions["test_labels"], np.float64)


def guess(predictions: Predictions) -> Chance:
    """Return what one class for all cases scores at best."""
    labels = predictions["test_labels"]
    return Chance(float(np.bincount(labels).max()) / len(labels), "the most frequent class")


def of_law(variances: str, definition: str, unit: str) -> Iterator[Metric]:
    """Yield what `law` gives of one kind of variances, with bounds in the CSV and in `results`."""
    compute, per_case = partial(law, variances), partial(case_errors, variances)
    units = {"r2": "points", "mae": unit}
    for name, bound in itertools.product(NAMES, ("", "-low", "-high")):
        yield Metric(
            f"{definition}/{name}{bound}",
            compute,
            unit=units.get(name, "ratio"),
            direction="up" if name == "r2" else "down" if name == "mae" else None,
            per_case=per_case if f"{name}{bound}" == "mae" else None,
            reported=not bound and variances == "variances",
        )


class Fusion(omnibench.Task):
    """A class from an image and its text."""

    name = "fusion"
    version = 1  # to be raised when its numbers change
    metrics = (
        Metric("fusion/accuracy", lambda p: float(right(p).mean()), per_case=right, chance=guess),
        *of_law("variances", "uncertainty-propagation", "points"),
        *of_law("logit_variances", "uncertainty-propagation-logits", "squared logit"),
    )
    own = {
        "fusion": Adaptation(
            "fusion",
            trains="a linear layer on the frozen embedding beside the text's hashed n-grams",
            varies="head seed",
            recipes={"small": omnibench.TrainingRecipe(epochs=20, lr=1e-3)},
            frozen_kind="embed",
            options=FusionOptions,
        )
    }
    views = frozenset({"another dataset"})

    def judged_on(self, dataset: DatasetCard) -> bool:
        """Return whether a dataset has texts, and labels of which an image has one."""
        named = {"classification", "captioning"} <= set(dataset.tasks)
        return named and dataset.labels != "multi-label"

    def prepare(self, unit: Unit, context: Context) -> "Callable[[int], omnibench.Trial]":
        """Return what makes the trial of a repetition."""
        from fusion_trial import prepare

        return prepare(unit, context)


omnibench.register_task(Fusion())

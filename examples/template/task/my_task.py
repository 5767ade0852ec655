"""The task `my-task`: a number for each image, by a linear layer on the frozen embedding.

omnibench run my_task.yaml && omnibench report my_task.yaml

How a repetition is trained stands in `my_task_trial.py`: torch is imported when a unit runs.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from numpy import float64
from numpy.typing import NDArray

from omnibench import (
    Adaptation,
    Context,
    DatasetCard,
    Metric,
    Predictions,
    Task,
    TrainingRecipe,
    Unit,
    register_task,
)

if TYPE_CHECKING:
    from omnibench import Trial


def per_image(predictions: Predictions) -> Mapping[str, NDArray[float64]]:
    """Return each test image's absolute error, by which models are paired."""
    return {"mae": abs(predictions["test_numbers"] - predictions["test_references"])}


def over_images(predictions: Predictions) -> Mapping[str, float]:
    """Return the means over the test images."""
    return {name: float(values.mean()) for name, values in per_image(predictions).items()}


class MyTask(Task):
    """A number for each image."""

    name = "my-task"
    version = 1  # to be raised when its numbers change
    metrics = (Metric("numbers/mae", over_images, "grey levels", "down", per_image),)
    own = {
        "linear": Adaptation(
            "linear",
            trains="a linear layer on the frozen embedding",
            varies="head seed",
            recipes={"small": TrainingRecipe(epochs=20, lr=1e-2)},
            frozen_kind="embed",
        )
    }

    def judged_on(self, dataset: DatasetCard) -> bool:
        """Return whether a dataset has what the task needs: here images alone."""
        return True

    def prepare(self, unit: Unit, context: Context) -> "Callable[[int], Trial]":
        """Return what makes the trial of a repetition."""
        from my_task_trial import prepare

        return prepare(unit, context)


register_task(MyTask())

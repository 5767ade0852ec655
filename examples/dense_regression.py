"""A task from outside: a number for every pixel, such as a depth or a dose.

    omnibench run SUITE --plugin dense_regression.py
    # task: dense-regression, datasets that have `Maps`, adaptations: [linear, full, lora]

Its own adaptation `linear` is a 1x1 convolution on the frozen backbone's last map. It offers the
backbone's module too, so that every registered adaptation that needs that can be judged by it. How
a repetition is trained stands in `dense_trial.py`: torch is imported when a unit runs.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from numpy import float64
from numpy.typing import NDArray

from omnibench import (
    Adaptation,
    Context,
    Metric,
    Predictions,
    Task,
    TrainingRecipe,
    Unit,
    register_task,
)

if TYPE_CHECKING:
    from omnibench import Trial

CLOSE = 10.0  # grey levels
RECIPE = TrainingRecipe(epochs=10, batch=16, lr=1e-2)


def per_image(predictions: Predictions) -> Mapping[str, NDArray[float64]]:
    """Return each image's mean absolute error, and the share of its pixels that are close."""
    errors = predictions["test_errors"]  # [N, H, W]
    return {"mae": errors.mean(axis=(1, 2)), "close": (errors < CLOSE).mean(axis=(1, 2))}


def over_images(predictions: Predictions) -> Mapping[str, float]:
    """Return the means over images: two metrics that share one pass over the predictions."""
    return {name: float(values.mean()) for name, values in per_image(predictions).items()}


class DenseRegression(Task):
    """A number for every pixel, judged image by image."""

    name = "dense-regression"
    version = 1  # a part of every cell's identity
    metrics = (
        Metric("pixels/mae", over_images, "grey levels", "down", per_image),
        Metric("pixels/close", over_images, per_case=per_image),
    )
    own = {
        "linear": Adaptation(
            "linear",
            trains="a 1x1 convolution on the frozen last map",
            varies="head seed",
            recipes={"small": RECIPE},
            frozen_kind="maps",
        )
    }
    offers = frozenset({"module"})
    live_kind = "maps"
    recipes = {"small": RECIPE.model_copy(update={"lr": 1e-3})}
    pictures = {"maps": "Depth maps: references of test images above how far off the prediction is"}

    def prepare(self, unit: Unit, context: Context) -> "Callable[[int], Trial]":
        """Return what makes the trial of a repetition."""
        from dense_trial import prepare

        return prepare(unit, context, self.adaptations[unit.adaptation])


register_task(DenseRegression())

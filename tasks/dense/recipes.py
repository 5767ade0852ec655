"""The recipes of dense targets: every field and its value by name."""

from typing import Annotated, Literal

from pydantic import Field

from omnibench.training.plan import TrainingRecipe


class MapRecipe(TrainingRecipe):
    """Fields of a registered model of maps, which has its own loss.

    Attributes:
        keep_maps: store predicted and true maps of the test images, so that a record can be
            rescored by what is not measured yet.
    """

    keep_maps: bool = False


class DenseRecipe(MapRecipe):
    """Fields of every other adaptation of dense targets.

    Attributes:
        loss: of a pixel: the absolute error, its square, or Huber's with a bend at one standard
            deviation of the training pixels.
        gradient: weight of the absolute error of finite differences, which BrainFM adds with 1.
        residual: learn what is added to what the image says as it is, the baseline `input`, as
            BrainFM does for super-resolution.
    """

    loss: Literal["l1", "l2", "huber"] = "l1"
    gradient: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    residual: bool = False


SMALL = DenseRecipe(
    input_size=224, epochs=8, batch=8, lr=5e-4, weight_decay=1e-4, warmup_epochs=0.5
)
LINEAR = SMALL.model_copy(update={"epochs": 10, "batch": 16, "lr": 1e-2})
FULL = SMALL.model_copy(update={"lr": 1e-4})
ON_MAPS = MapRecipe(input_size=224, epochs=20, batch=16, lr=1e-3)

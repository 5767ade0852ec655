"""The recipes of interactive segmentation: every field and its value by name."""

from typing import Annotated, Literal

from pydantic import Field

from omnibench.recipe import Recipe
from omnibench.training.plan import TrainingRecipe


class ClickRecipe(Recipe):
    """Fields of every adaptation.

    Attributes:
        score_at: the size at which images are clicked and masks compared: the `input` size, or
            `native`, the dataset's own masks.
    """

    score_at: Literal["input", "native"] = "input"


class TrainedClickRecipe(ClickRecipe, TrainingRecipe):
    """Fields of `clicks`.

    Attributes:
        train_clicks: how many are made on each training object in a step of the optimiser, which
            learns from the mask after each of them.
    """

    train_clicks: Annotated[int, Field(ge=1, le=20)] = 4


SMALL = ClickRecipe()
TRAINED = TrainedClickRecipe(
    input_size=224, epochs=8, batch=8, lr=1e-3, weight_decay=1e-4, warmup_epochs=0.5
)

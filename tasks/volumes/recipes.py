"""The recipes of volumes: every field and its value by name."""

from typing import Annotated, Literal

from pydantic import Field

from omnibench.tasks.classification.recipes import LinearRecipe
from omnibench.training.plan import TrainingRecipe

# A batch is of studies, of which there are fewer than images.
PROBE = LinearRecipe(batch=32)


class VolumeRecipe(TrainingRecipe):
    """Fields of what is trained in steps; `batch` and `micro_batch` count studies.

    Where gradients go through the backbone, a `micro_batch` of None is one study.

    Attributes:
        slices: most slices of a view that are used, at even distances; None for all.
        select: the metric of the validation studies that the best epoch is chosen by.
    """

    epochs: Annotated[int, Field(gt=0)] = 30
    batch: Annotated[int, Field(gt=0)] = 16
    lr: Annotated[float, Field(gt=0)] = 1e-3
    slices: Annotated[int, Field(gt=0)] | None = None
    select: Literal["macro-f1", "auc"] = "macro-f1"

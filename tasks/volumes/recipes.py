"""The recipes of volumes: every field and its value by name."""

from typing import Annotated

from pydantic import Field

from omnibench.tasks.classification.recipes import LinearRecipe, LossRecipe

# A batch is of studies, of which there are fewer than images.
PROBE = LinearRecipe(batch=8)


class VolumeRecipe(LossRecipe):
    """Fields of what is trained in steps; `batch` and `micro_batch` count studies.

    Where gradients go through the backbone, a `micro_batch` of None is one study.

    Attributes:
        slices: most slices of a view that are used, at even distances; None for all.
    """

    epochs: Annotated[int, Field(gt=0)] = 30
    batch: Annotated[int, Field(gt=0)] = 16
    lr: Annotated[float, Field(gt=0)] = 1e-3
    slices: Annotated[int, Field(gt=0)] | None = None

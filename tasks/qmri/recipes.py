"""The recipes of quantitative MRI: every field and its value by name."""

from typing import Annotated

from pydantic import Field

from omnibench.recipe import Recipe

SMALL = Recipe()  # of the fit: `limit` alone says something of it


class NetworkRecipe(Recipe):
    """Fields of the network.

    Attributes:
        epochs: passes over the training voxels at most; a start ends after a fifth of them without
            a better validation loss.
        batch: voxels a step.
        lr: Adam's rate.
        starts: networks that are trained from different initial weights, of which the best on
            validation is used.
    """

    epochs: Annotated[int, Field(gt=0)] = 100
    batch: Annotated[int, Field(gt=0)] = 100
    lr: Annotated[float, Field(gt=0)] = 1e-3
    starts: Annotated[int, Field(gt=0, le=256)] = 16

    @property
    def patience(self) -> int:
        """Epochs without a better validation loss after which a start ends."""
        return max(1, self.epochs // 5)


NETWORK = NetworkRecipe()

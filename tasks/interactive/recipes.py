"""The recipes of interactive segmentation: every field and its value by name."""

from typing import Literal

from omnibench.recipe import Recipe


class ClickRecipe(Recipe):
    """Fields of every adaptation.

    Attributes:
        score_at: the size at which images are clicked and masks compared: the `input` size, or
            `native`, the dataset's own masks.
    """

    score_at: Literal["input", "native"] = "input"


SMALL = ClickRecipe()

"""How a model is trained: the recipe fields that every trained adaptation shares."""

import itertools
import math
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from omnibench.recipe import Recipe, Selection, StepBudget

Share = Annotated[float, Field(ge=0, le=1)]


def _rising(shares: tuple[float, ...]) -> tuple[float, ...]:
    """Return shares of an epoch, to which its end always belongs."""
    if any(share >= later for share, later in itertools.pairwise(shares)):
        raise ValueError("the shares of the first epoch must rise, as in [0.01, 0.1, 1]")
    return shares if shares[-1:] == (1.0,) else (*shares, 1.0)


Shares = Annotated[
    tuple[Annotated[float, Field(gt=0, le=1)], ...],
    AfterValidator(_rising),
]


def batch_refusal(batch: int, cases: int) -> str:
    """Return the sentence that refuses a batch of more than the training cases."""
    return f"recipe.batch {batch} exceeds the training split's {cases} cases; lower it"


class TrainingRecipe(Recipe):
    """Fields of the training loop.

    Attributes:
        epochs: passes over the training images.
        batch: images an optimiser step, over all processes and micro-batches.
        micro_batch: images a forward pass; None for the whole batch. Smaller ones accumulate.
        lr: AdamW's rate at its highest.
        weight_decay: AdamW's, decoupled.
        betas: AdamW's.
        warmup_epochs, warmup_start: linear from `warmup_start` times the rate.
        decay: what follows the warm-up: a cosine or a line to `min_lr`, the full rate to the end,
            or steps: a tenth of it from half of the epochs on, a hundredth from three quarters.
        min_lr: where a cosine or a line ends; that of a group falls with the group's own rate.
        schedule_step: whether the rate moves every step or every epoch.
        clip_norm: largest gradient norm; None for no clipping.
        warmup_clip_norm: the same during warm-up; None for `clip_norm`.
        evaluate: shares of the first epoch after which validation is evaluated; then it is after
            every epoch. What is evaluated within the epoch is recorded and decides nothing.
        selection: of the validation images that choose the epoch: `full-val`, all; `matched-val`,
            cut as the label budget cuts the training images; `last`, none: the last epoch counts.
        budget: what a label budget leaves as it is at 100 %: the `epochs`, of fewer images each, or
            the `steps`, an epoch of which goes over the images again and again.
        precision: of autocast (parameters stay in fp32); a frozen backbone runs in it outright.
    """

    epochs: Annotated[int, Field(gt=0)] = 10
    batch: Annotated[int, Field(gt=0)] = 32
    micro_batch: Annotated[int, Field(gt=0)] | None = None
    lr: Annotated[float, Field(gt=0)] = 1e-4
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    betas: tuple[Share, Share] = (0.9, 0.999)
    warmup_epochs: Annotated[float, Field(ge=0)] = 1.0
    warmup_start: Share = 0.01
    decay: Literal["cosine", "linear", "step", "none"] = "cosine"
    min_lr: Annotated[float, Field(ge=0)] = 0.0
    schedule_step: Literal["step", "epoch"] = "step"
    clip_norm: Annotated[float, Field(gt=0)] | None = 1.0
    warmup_clip_norm: Annotated[float, Field(gt=0)] | None = None
    evaluate: Shares = (1.0,)
    selection: Selection = "full-val"
    budget: StepBudget = "epochs"

    @model_validator(mode="after")
    def _check(self) -> Self:
        # Of a warm-up longer than a short run only its first part is seen: never a cosine.
        if self.warmup_epochs >= self.epochs and self.epochs > 1:
            raise ValueError(
                f"warmup_epochs {self.warmup_epochs} leaves nothing of {self.epochs} epochs"
            )
        if self.min_lr and self.decay in ("step", "none"):
            raise ValueError(f"min_lr ends a cosine or a line, and decay is '{self.decay}'")
        return self


def under_budget(recipe: TrainingRecipe, images: int, whole: int) -> tuple[TrainingRecipe, int]:
    """Return a recipe with batches that fewer images fill, and the images of an epoch.

    Args:
        images: that a label budget leaves of the `whole` training split's.
    """
    if images == whole:
        return recipe, whole
    batch = min(recipe.batch, images)
    used = recipe.model_copy(update={"batch": batch})
    if recipe.budget == "epochs":
        return used, images
    return used, min(whole, math.ceil(whole / recipe.batch) * batch)

"""Single steps of the training loop, for measuring."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from omnibench.context import silent
from omnibench.training.job import Batch, Job
from omnibench.training.plan import TrainingRecipe
from omnibench.training.steps import Steps


def stepper(
    model: nn.Module,
    loss: Callable[[Batch], Tensor],
    set_mode: Callable[[], object],
    recipe: TrainingRecipe,
    count: int,
    device: str,
    folder: Path,
) -> Callable[[int], None]:
    """Return what does step k of our loop, on images k * batch to (k + 1) * batch - 1."""
    job = Job(
        model=model,
        count=count,
        loss=loss,
        validate=dict,
        set_mode=set_mode,
        select="",
        seed=0,
        device=device,
        folder=folder,
        log=folder / "log.jsonl",
        progress=silent,
    )
    steps = Steps(job, recipe)

    def step(index: int) -> None:
        set_mode()
        steps.gradients(index, torch.arange(index * recipe.batch, (index + 1) * recipe.batch))
        steps.update(0)

    return step

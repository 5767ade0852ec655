"""Single steps of the training loop, for measuring."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from omnibench.context import silent
from omnibench.training.loop import Batch, Job, _Run
from omnibench.training.plan import TrainingRecipe


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
    run = _Run(job, recipe)

    def step(index: int) -> None:
        set_mode()
        run._gradients(index, torch.arange(index * recipe.batch, (index + 1) * recipe.batch))
        run._update(0)

    return step

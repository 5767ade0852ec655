"""Run single steps of the training loop, for measuring."""

from collections.abc import Callable
from pathlib import Path

import torch

from omnibench.context import silent
from omnibench.training.job import Job
from omnibench.training.steps import Steps
from omnibench.training.trial import Trial


def stepper(trial: Trial, device: str, folder: Path) -> Callable[[int], None]:
    """Return what does step k of our loop, on images k * batch to (k + 1) * batch - 1."""
    job = Job(
        model=trial.model,
        count=trial.count,
        loss=trial.loss,
        validate=trial.validate,
        set_mode=trial.set_mode,
        select=None,
        seed=0,
        device=device,
        folder=folder,
        log=folder / "log.jsonl",
        progress=silent,
    )
    steps, batch = Steps(job, trial.recipe), trial.recipe.batch

    def step(index: int) -> None:
        trial.set_mode()
        steps.gradients(index, torch.arange(index * batch, (index + 1) * batch))
        steps.update(0)

    return step

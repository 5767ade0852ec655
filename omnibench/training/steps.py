"""One optimiser step: gradients of a batch in micro-batches, over all processes, and the update."""

import math

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from omnibench.errors import MemoryShortageError
from omnibench.memory import is_out_of_memory, release
from omnibench.training.job import Batch, Job
from omnibench.training.plan import TrainingRecipe
from omnibench.training.precision import autocast
from omnibench.training.processes import own_rows, sum_gradients, sum_over_processes
from omnibench.training.random import stream_seed
from omnibench.training.reached import check_reached
from omnibench.training.schedule import factor


class Steps:
    """Makes a job's steps.

    Attributes:
        epoch: number of steps in an epoch.
        micro: images a forward pass.
    """

    def __init__(self, job: Job, recipe: TrainingRecipe) -> None:
        self.job, self.recipe = job, recipe
        self.parameters = [p for p in job.model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(
            job.groups or self.parameters,
            lr=recipe.lr,
            betas=recipe.betas,
            weight_decay=recipe.weight_decay,
            fused=True,
        )
        self.rates = [group["lr"] for group in self.optimiser.param_groups]
        whole = job.each_epoch // recipe.batch
        self.epoch = whole if job.whole_batches else math.ceil(job.each_epoch / recipe.batch)
        self.micro = recipe.micro_batch or recipe.batch
        self._checked = False

    def set_rate(self, step: int) -> float:
        """Set the learning rate of a step, and return it."""
        if self.job.course is not None:
            return self.job.course(self.optimiser, step)
        recipe = self.recipe
        epoch, index = divmod(step, self.epoch)
        done = epoch + (index / self.epoch if recipe.schedule_step == "step" else 0)
        warmup, floor = (recipe.warmup_epochs, recipe.warmup_start), recipe.min_lr / recipe.lr
        share = factor(done, recipe.epochs, *warmup, recipe.decay, floor)
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * share
        return recipe.lr * share

    def within_memory(self, step: int, rows: Tensor) -> float:
        """One step's gradients; where memory runs out, again in halved micro-batches."""
        modules = self.job.model.modules()
        whole_only = any(isinstance(m, _BatchNorm) and m.training for m in modules)
        first = self.micro
        while True:
            try:
                loss = self.gradients(step, rows)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or self.micro == 1:
                    raise
                self.micro = max(self.micro // 2, 1)
                release()
                if self.job.fixed_parts:
                    raise MemoryShortageError(
                        f"out of memory with {first} images a forward pass; give the recipe "
                        f"micro_batch: {self.micro}"
                    ) from error
                continue
            if whole_only and self.micro != first:
                # Batch statistics of smaller parts would be another model's.
                raise MemoryShortageError(
                    f"out of memory with batches of {first}, and training-mode batch norm forbids "
                    f"splitting them; recipe.batch {self.micro} fits"
                )
            return loss

    def gradients(self, step: int, rows: Tensor) -> float:
        """Leave the batch's gradients in the parameters; returns its loss."""
        self.optimiser.zero_grad(set_to_none=True)
        torch.manual_seed(stream_seed(self.job.seed, "model", step))
        mine = own_rows(rows), own_rows(torch.arange(len(rows)))
        self.job.hooks.before(Batch(step, *mine, rows))
        total = torch.zeros(1)
        for part, place in zip(*(torch.split(own, self.micro) for own in mine), strict=True):
            if not len(part):
                continue
            with autocast(self.recipe.precision, self.job.device):
                loss = self.job.loss(Batch(step, part, place, rows))
            loss.backward()
            total += loss.detach().float().cpu()
        if not self._checked and len(mine[0]):
            check_reached(self.job.model)
            self._checked = True
        sum_gradients(self.parameters)
        sum_over_processes([total])
        return float(total)

    def update(self, step: int) -> float:
        """Clip the gradients and let the optimiser make its step; returns their norm."""
        recipe = self.recipe
        warming = step // self.epoch < recipe.warmup_epochs and recipe.warmup_clip_norm is not None
        limit = (recipe.warmup_clip_norm if warming else recipe.clip_norm) or math.inf
        norms = [
            float(nn.utils.clip_grad_norm_(parameters, limit))
            for parameters in self.job.clipped or [self.parameters]
        ]
        self.optimiser.step()
        return math.hypot(*norms)

"""The training loop that every task shares."""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from omnibench.context import Progress
from omnibench.errors import DataError, MemoryShortageError, NumericError
from omnibench.files import write_atomically
from omnibench.memory import is_out_of_memory, release
from omnibench.training.checkpoint import Checkpoints
from omnibench.training.plan import TrainingRecipe
from omnibench.training.precision import autocast
from omnibench.training.processes import (
    own_rows,
    rank_and_size,
    sum_gradients,
    sum_over_processes,
    wait_for_all,
)
from omnibench.training.random import stream, stream_seed
from omnibench.training.schedule import factor


@dataclass(frozen=True)
class Batch:
    """A part of one optimiser step's images.

    Attributes:
        step: number of the step since the start of training; with `places` it fixes every draw.
        rows: indices of this part's images in the training split.
        places: their places in the step's whole batch.
        whole: indices of the whole batch, by which the loss is normalised.
    """

    step: int
    rows: Tensor
    places: Tensor
    whole: Tensor


@dataclass
class Job:
    """What is trained, and how it is judged.

    Attributes:
        model: parameters with requires_grad are trained and kept.
        count: training images.
        loss: a part's contribution to the step's loss; the parts' sum is the loss.
        validate: metrics after an epoch, of which `select` is maximised, or minimised.
        set_mode: puts trained parts into training mode and frozen ones into evaluation mode.
        seed: of data order and of what the model draws (dropout).
    """

    model: nn.Module
    count: int
    loss: Callable[[Batch], Tensor]
    validate: Callable[[], Mapping[str, float]]
    set_mode: Callable[[], object]
    select: str
    minimise: bool = field(default=False, kw_only=True)
    seed: int
    device: str
    folder: Path
    log: Path
    progress: Progress
    name: str = "training"


@dataclass
class Fitted:
    """What training ended with; the model holds the best epoch's parameters.

    Attributes:
        history: an entry an epoch: loss, rate, gradient norm, metrics, seconds, images a second.
    """

    best_epoch: int
    best: float
    history: list[dict[str, Any]] = field(default_factory=list)


def fit(job: Job, recipe: TrainingRecipe) -> Fitted:
    """Train a model, resuming from its last checkpoint, and leave it at its best epoch.

    The best epoch is the one with the best validation metric; of equals, the later.

    Raises:
        DataError: the batch is larger than the training split.
        NumericError: the loss is not finite; the last good checkpoint stays.
        MemoryShortageError: memory ran out and the batch may not be split.
    """
    if recipe.batch > job.count:
        raise DataError(
            f"recipe.batch {recipe.batch} exceeds the training split's {job.count} images; lower it"
        )
    return _Run(job, recipe).run()


class _Run:
    def __init__(self, job: Job, recipe: TrainingRecipe) -> None:
        self.job, self.recipe = job, recipe
        self.parameters = [p for p in job.model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(
            self.parameters,
            lr=recipe.lr,
            betas=recipe.betas,
            weight_decay=recipe.weight_decay,
            fused=True,
        )
        self.steps = math.ceil(job.count / recipe.batch)  # an epoch
        self.micro = recipe.micro_batch or recipe.batch
        self.checkpoints = Checkpoints(job.folder)
        worst = math.inf if job.minimise else -math.inf
        self.best: dict[str, Any] = {"value": worst, "epoch": -1, "state": {}}
        self.history: list[dict[str, Any]] = []

    def run(self) -> Fitted:
        began = self._resume()
        for epoch in range(began, self.recipe.epochs):
            clock = time.perf_counter()
            self.job.set_mode()
            entry = self._epoch(epoch)
            metrics = dict(self.job.validate())
            if not math.isfinite(metrics[self.job.select]):
                raise NumericError(
                    f"the validation {self.job.select} is not finite after epoch {epoch}"
                )
            value, best = metrics[self.job.select], self.best["value"]
            if value <= best if self.job.minimise else value >= best:
                state = {name: value.clone() for name, value in self._trained().items()}
                self.best = {"value": value, "epoch": epoch, "state": state}
            seconds = time.perf_counter() - clock
            entry |= {"seconds": seconds, "images_per_s": self.job.count / seconds}
            self.history.append({"epoch": epoch, **entry, "validation": metrics})
            self._save(epoch)
            left = seconds * (self.recipe.epochs - epoch - 1)
            rate = f"{entry['images_per_s']:.0f} images/s, {left:.0f} s left"
            self.job.progress(f"{self.job.name} ({rate})", epoch + 1, self.recipe.epochs)
        self.job.model.load_state_dict(self.best["state"], strict=False)
        return Fitted(self.best["epoch"], self.best["value"], self.history)

    def _epoch(self, epoch: int) -> dict[str, Any]:
        order = torch.randperm(self.job.count, generator=stream(self.job.seed, "order", epoch))
        total = norm = 0.0
        for index, rows in enumerate(torch.split(order, self.recipe.batch)):
            rate = self._set_rate(epoch, index)
            loss = self._step_within_memory(epoch * self.steps + index, rows)
            if not math.isfinite(loss):
                kept = f"that of epoch {epoch - 1} is kept" if epoch else "there is none yet"
                raise NumericError(
                    f"the loss is {loss} at epoch {epoch}, step {index}; last good checkpoint: "
                    f"{kept}; lower the recipe's lr or give it precision: fp32"
                )
            norm = self._update(epoch)
            total += loss * len(rows)
        return {"loss": total / self.job.count, "lr": rate, "gradient_norm": norm}

    def _set_rate(self, epoch: int, index: int) -> float:
        recipe = self.recipe
        done = epoch + (index / self.steps if recipe.schedule_step == "step" else 0)
        share = factor(done, recipe.epochs, recipe.warmup_epochs, recipe.warmup_start, recipe.decay)
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.lr * share
        return recipe.lr * share

    def _step_within_memory(self, step: int, rows: Tensor) -> float:
        """One step's gradients; where memory runs out, again in halved micro-batches."""
        whole_only = any(isinstance(m, _BatchNorm) and m.training for m in self.job.model.modules())
        first = self.micro
        while True:
            try:
                loss = self._gradients(step, rows)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or self.micro == 1:
                    raise
                self.micro = max(self.micro // 2, 1)
                release()
                continue
            if whole_only and self.micro != first:
                # Batch statistics of smaller parts would be another model's.
                raise MemoryShortageError(
                    f"out of memory with batches of {first}, and training-mode batch norm forbids "
                    f"splitting them; recipe.batch {self.micro} fits"
                )
            return loss

    def _gradients(self, step: int, rows: Tensor) -> float:
        self.optimiser.zero_grad(set_to_none=True)
        torch.manual_seed(stream_seed(self.job.seed, "model", step))
        places = torch.arange(len(rows))
        total = torch.zeros(1)
        mine = (torch.split(part, self.micro) for part in (own_rows(rows), own_rows(places)))
        for part, place in zip(*mine, strict=True):
            if not len(part):
                continue
            with autocast(self.recipe.precision, self.job.device):
                loss = self.job.loss(Batch(step, part, place, rows))
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach().float().cpu()
        sum_gradients(self.parameters)
        sum_over_processes([total])
        return float(total)

    def _update(self, epoch: int) -> float:
        recipe = self.recipe
        warming = epoch < recipe.warmup_epochs and recipe.warmup_clip_norm is not None
        limit = recipe.warmup_clip_norm if warming else recipe.clip_norm
        norm = nn.utils.clip_grad_norm_(self.parameters, limit or math.inf)
        self.optimiser.step()
        return float(norm)

    def _trained(self) -> dict[str, Tensor]:
        """Trained parameters and the buffers beside them, by name."""
        trained = {name for name, p in self.job.model.named_parameters() if p.requires_grad}
        buffers = {name for name, _ in self.job.model.named_buffers()}
        state = self.job.model.state_dict()
        return {n: v.detach().cpu() for n, v in state.items() if n in trained or n in buffers}

    def _save(self, epoch: int) -> None:
        if rank_and_size()[0] == 0:
            lines = "".join(json.dumps(entry) + "\n" for entry in self.history)
            write_atomically(self.job.log, lines.encode())
            self.checkpoints.save(
                {
                    "epoch": epoch,
                    "model": self._trained(),
                    "optimiser": self.optimiser.state_dict(),
                    "best": self.best,
                    "history": self.history,
                    "random": torch.get_rng_state(),
                    "micro": self.micro,
                }
            )
        wait_for_all()

    def _resume(self) -> int:
        """Take up the last checkpoint; returns the epoch to begin with."""
        state = self.checkpoints.load()
        if state is None:
            return 0
        self.job.model.load_state_dict(state["model"], strict=False)
        self.optimiser.load_state_dict(state["optimiser"])
        self.best, self.history = state["best"], state["history"]
        self.micro = state["micro"]
        torch.set_rng_state(state["random"])
        return int(state["epoch"]) + 1

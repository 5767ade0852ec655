"""The training loop that every task shares."""

import json
import logging
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from omnibench.errors import DataError, NumericError, OmnibenchError
from omnibench.files import write_atomically
from omnibench.interrupts import Interrupted, finishing
from omnibench.training.checkpoint import Checkpoints
from omnibench.training.job import Job
from omnibench.training.plan import TrainingRecipe, batch_refusal
from omnibench.training.processes import agreed, rank_and_size, wait_for_all
from omnibench.training.random import stream
from omnibench.training.steps import Steps

QUICK = 1.0  # seconds; a checkpoint that takes no longer is written after every epoch
STEPS_PER_CHECKPOINT = 20  # of a slower one: times as long as it took go into steps before the next
log = logging.getLogger("omnibench")


@dataclass
class Fitted:
    """What training ended with; the model holds the best epoch's parameters, or the last's.

    Attributes:
        history: an entry an epoch: loss, rate, gradient norm, seconds, images a second, and its
            evaluation.
        early: the evaluations within the first epoch.
        train_seconds: of the steps alone, without validation; those before a resume included.
    """

    best_epoch: int
    best: float
    history: list[dict[str, Any]] = field(default_factory=list)
    early: list[dict[str, Any]] = field(default_factory=list)
    train_seconds: float = 0.0

    @property
    def evaluations(self) -> list[dict[str, Any]]:
        """Every evaluation of the validation split, in order."""
        return [*self.early, *self.history]


def fit(job: Job, recipe: TrainingRecipe) -> Fitted:
    """Train a model, resuming from its last checkpoint, and leave it at its best epoch.

    The best epoch is the one with the best validation metric; of equals, the later.

    Raises:
        DataError: the batch is larger than the training split.
        NumericError: the loss is not finite; the last good checkpoint stays.
        MemoryShortageError: memory ran out and the batch may not be split.
    """
    if recipe.batch > job.count:
        raise DataError(batch_refusal(recipe.batch, job.count))
    return _Run(job, recipe).run()


def early_steps(shares: Iterable[float], epoch: int) -> set[int]:
    """Return after which steps of the first epoch validation is evaluated, its last left out.

    Args:
        shares: of the epoch; each stands for the first step that completes it.
        epoch: number of its steps.
    """
    rounding = 1e-9  # .07 x 100 is more than 7 in floating point
    return {max(1, math.ceil(share * epoch - rounding)) for share in shares} - {epoch}


def log_lines(evaluations: Iterable[Mapping[str, Any]]) -> bytes:
    """Return evaluations as JSON lines."""
    return "".join(json.dumps(entry) + "\n" for entry in evaluations).encode()


class _Run:
    """A training at a place: `step` steps are made, `history` has the epochs that are judged."""

    def __init__(self, job: Job, recipe: TrainingRecipe) -> None:
        self.job, self.recipe = job, recipe
        self.steps = Steps(job, recipe)
        self.checkpoints = Checkpoints(job.folder, job.checkpoints, job.check)
        self.step = self.saved = 0
        self.loss = self.rate = self.norm = 0.0  # the loss is summed over an epoch's images
        worst = math.inf if job.minimise else -math.inf
        self.best: dict[str, Any] = {"value": worst, "epoch": -1, "state": {}}
        self.history: list[dict[str, Any]] = []
        self.early: list[dict[str, Any]] = []
        self.early_steps = early_steps(recipe.evaluate, self.steps.epoch)
        self.train_seconds = 0.0
        # Seconds that the last checkpoint took, and those of steps before it.
        self.writing = self.trained_before = 0.0

    def run(self) -> Fitted:
        self._resume()
        try:
            while len(self.history) < self.recipe.epochs:
                self._epoch()
        except Interrupted:
            # Raised between two steps, where the state is whole.
            if self.step > self.saved:
                try:
                    with finishing():  # whoever asks twice still gets the checkpoint
                        self._save()
                except OmnibenchError as error:
                    log.warning("no checkpoint of step %d: %s", self.step, error)
            raise
        if self.job.select is not None:
            self.job.model.load_state_dict(self.best["state"], strict=False)
        return Fitted(
            self.best["epoch"], self.best["value"], self.history, self.early, self.train_seconds
        )

    def _epoch(self) -> None:
        """Make the steps that an epoch lacks, judge it and keep it."""
        epoch = len(self.history)
        self.job.set_mode()
        batches = torch.split(self._order(epoch), self.recipe.batch)[: self.steps.epoch]
        left = batches[self.step - epoch * self.steps.epoch :]
        for index, rows in enumerate(left):
            self._evaluate_early()
            with finishing():
                began = time.perf_counter()
                if index + 1 < len(left):
                    self.job.hooks.ahead(left[index + 1])
                self._step(rows)
                self.train_seconds += time.perf_counter() - began
            if self.job.checkpoint_steps and self.step % self.job.checkpoint_steps == 0:
                self._save()
        began = time.perf_counter()
        metrics = dict(self.job.validate())
        validated = time.perf_counter() - began
        self._keep_best(epoch, metrics)
        before = self.history[-1]["train_seconds"] if self.history else 0.0
        seconds, images = self.train_seconds - before + validated, self._images_each
        entry = {"loss": self.loss / images, "lr": self.rate, "gradient_norm": self.norm}
        entry |= {"seconds": seconds, "images_per_s": images / seconds}
        self.history.append({"epoch": epoch, **entry, **self._evaluation(metrics)})
        self.loss = 0.0
        self._save(self._is_worth_it())

    def _is_worth_it(self) -> bool:
        """Return whether an epoch ends in a checkpoint.

        The last one does. Of a large network short epochs would take less time than their
        checkpoints.
        """
        last = len(self.history) == self.recipe.epochs
        trained = self.train_seconds - self.trained_before
        enough = trained >= STEPS_PER_CHECKPOINT * self.writing
        worth: bool = agreed(last or self.writing <= QUICK or enough)
        return worth

    def _evaluate_early(self) -> None:
        """Evaluate within the first epoch where that is due; what is trained stays in every bit.

        Called before a step, so that it is made up for where a signal came after the one before.
        """
        if self.step not in self.early_steps - {entry["steps"] for entry in self.early}:
            return
        device = torch.device(self.job.device)
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            metrics = self.job.validate()
        self.job.set_mode()
        finite = {k: value if math.isfinite(value) else None for k, value in metrics.items()}
        self.early.append(self._evaluation(finite))

    def _evaluation(self, metrics: Mapping[str, float | None]) -> dict[str, Any]:
        """Return what the validation says now, and what it took to come here."""
        epoch, index = divmod(self.step, self.steps.epoch)
        images = epoch * self._images_each + index * self.recipe.batch
        each = self.job.flops_per_image
        return {
            "epochs": images / self._images_each,
            "steps": self.step,
            "images": images,
            "train_seconds": self.train_seconds,
            **({} if each is None else {"flops": images * each}),
            "validation": dict(metrics),
        }

    @property
    def _images_each(self) -> int:
        """Images that an epoch goes over."""
        return min(self.job.each_epoch, self.steps.epoch * self.recipe.batch)

    def _order(self, epoch: int) -> Tensor:
        """Return the rows of an epoch's images: of each pass over them a permutation."""
        count, images = self.job.count, self.job.each_epoch
        generator = stream(self.job.seed, "order", epoch)
        passes = [torch.randperm(count, generator=generator) for _ in range(-(-images // count))]
        return torch.cat(passes)[:images]

    def _step(self, rows: Tensor) -> None:
        self.rate = self.steps.set_rate(self.step)
        loss = self.steps.within_memory(self.step, rows)
        if not math.isfinite(loss):
            epoch, index = divmod(self.step, self.steps.epoch)
            checkpoint = f"that of step {self.saved} is kept" if self.saved else "there is none yet"
            raise NumericError(
                f"the loss is {loss} at epoch {epoch}, step {index}; last good checkpoint: "
                f"{checkpoint}; lower the recipe's lr or give it precision: fp32"
            )
        self.norm = self.steps.update(self.step)
        self.loss += loss * len(rows)
        self.job.hooks.after(self.step, loss, self.norm)
        self.step += 1
        images = self.steps.epoch * self.recipe.batch * self.recipe.epochs
        self.job.progress(self.job.name, self.step * self.recipe.batch, images)

    def _keep_best(self, epoch: int, metrics: dict[str, float]) -> None:
        select = self.job.select
        if select is None:
            return
        value, best = metrics[select], self.best["value"]
        if not math.isfinite(value):
            raise NumericError(f"the validation {select} is not finite after epoch {epoch}")
        if value <= best if self.job.minimise else value >= best:
            state = {name: value.clone() for name, value in self._state().items()}
            self.best = {"value": value, "epoch": epoch, "state": state}

    def _state(self) -> dict[str, Tensor]:
        """Trained parameters and the buffers beside them, by name."""
        model = self.job.model
        keep = {n for n, p in model.named_parameters() if p.requires_grad or self.job.keep_frozen}
        keep |= {name for name, _ in model.named_buffers()}
        return {n: v.detach().cpu() for n, v in model.state_dict().items() if n in keep}

    def _save(self, checkpoint: bool = True) -> None:
        """Write the log and, unless it is not worth its time, a checkpoint."""
        if rank_and_size()[0] == 0:
            lines = log_lines([*self.early, *self.history])
            write_atomically(self.job.log, lines, self.job.check)
        if not checkpoint:
            return
        if rank_and_size()[0] == 0:
            began = time.perf_counter()
            self.checkpoints.save(
                self.step,
                {
                    "step": self.step,
                    "model": self._state(),
                    "optimiser": self.steps.optimiser.state_dict(),
                    "best": self.best,
                    "history": self.history,
                    "early": self.early,
                    "train_seconds": self.train_seconds,
                    "epoch": [self.loss, self.rate, self.norm],
                    "random": torch.get_rng_state(),
                    "micro": self.steps.micro,
                    "hooks": self.job.hooks.state(),
                },
            )
            self.writing = time.perf_counter() - began
        self.trained_before = self.train_seconds
        self.saved = self.step
        wait_for_all()

    def _resume(self) -> None:
        """Take up the last checkpoint, if there is one."""
        state = self.checkpoints.load()
        if state is None:
            self.job.hooks.resume(0, {})
            return
        self.job.model.load_state_dict(state["model"], strict=False)
        self.steps.optimiser.load_state_dict(state["optimiser"])
        self.best, self.history = state["best"], state["history"]
        self.early, self.train_seconds = state["early"], state["train_seconds"]
        self.loss, self.rate, self.norm = state["epoch"]
        self.steps.micro = state["micro"]
        self.step = self.saved = state["step"]
        torch.set_rng_state(state["random"])
        self.job.hooks.resume(self.step, state["hooks"])

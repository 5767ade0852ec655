"""A pretraining's steps: images in, crops, the teacher's answers, losses, the teacher's move."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.data.pool import Pool
from omnibench.errors import CollapseError
from omnibench.training.job import Batch, Hooks
from omnibench.training.processes import own_rows, sum_over_processes

from .crops import Cropper, Crops
from .distillation import Answers, Distillation
from .groups import Course
from .held import HeldImages
from .knn import OnlineKnn
from .recipes import PretrainingRecipe
from .watch import Watch, teacher_facts

READERS = 4  # threads that decode images where they are not held in memory
PARTS = ("dino", "ibot", "koleo")


class Trainer(Hooks):
    """What surrounds and makes a step of self-distillation.

    Args:
        rows: the images of the pool that take part.
        knn: evaluated every `knn_steps` steps, or each epoch, and in the end; None for none.
    """

    def __init__(
        self,
        model: Distillation,
        recipe: PretrainingRecipe,
        pool: Pool,
        rows: NDArray[np.int64],
        cropper: Cropper,
        course: Course,
        watch: Watch,
        knn: OnlineKnn | None,
        device: str,
    ) -> None:
        self.model, self.recipe, self.pool = model, recipe, pool
        self.cropper = cropper
        self.course, self.watch, self.knn, self.device = course, watch, knn, device
        self.readers = ThreadPoolExecutor(READERS)
        self.images = HeldImages(pool, rows, recipe.load_size)
        self.read: dict[tuple[int, ...], list[Future[NDArray[np.uint8]]]] = {}
        self.losses_of_step = torch.zeros(
            len(PARTS), dtype=torch.float64
        )  # of this step and process
        self.sums = torch.zeros_like(self.losses_of_step)  # of all processes since the last line
        self.steps = 0
        self.crops: Crops
        self.answers: Answers

    def ahead(self, rows: Tensor) -> None:
        """Begin to read the images of a later step."""
        mine = own_rows(rows).numpy()
        self.read[tuple(mine)] = [
            self.readers.submit(self.images.read, part) for part in np.array_split(mine, READERS)
        ]

    def before(self, batch: Batch) -> None:
        key = tuple(batch.rows.tolist())
        if key not in self.read:
            self.ahead(batch.whole)
        images = np.concatenate([part.result() for part in self.read.pop(key)])
        self.crops = self.cropper.crops(images, batch.step, batch.places, len(batch.whole))
        temperature = self.course.temperature(batch.step)
        self.answers = self.model.answers(self.crops, temperature, self.device)
        self.first = int(batch.places[0])
        self.losses_of_step.zero_()

    def loss(self, batch: Batch) -> Tensor:
        """A micro-batch's part of the step's loss."""
        images = batch.places - self.first
        parts = self.model.losses(
            self.crops.of_images(images), self.answers, images, len(batch.whole)
        )
        losses = torch.stack([parts[name].float() for name in PARTS])
        self.losses_of_step += losses.detach().cpu().double()
        return losses.sum()

    def after(self, step: int, loss: float, norm: float) -> None:
        self.model.follow(self.course.momentum(step))
        sum_over_processes([self.losses_of_step])
        self.sums += self.losses_of_step
        self.steps += 1
        done = step + 1
        last = done == self.course.steps
        between = self.recipe.knn_steps or self.course.epoch
        knn = self.knn if last or done % between == 0 else None
        if done % self.recipe.log_steps and not last and knn is None:
            return
        means = dict(zip(PARTS, (self.sums / self.steps).tolist(), strict=True))
        line = {
            "step": done,
            "loss": sum(means.values()),
            **means,
            "gradient_norm": norm,
            "lr": self.course.rate(step),
            "temperature": self.course.temperature(step),
            "momentum": self.course.momentum(step),
            **teacher_facts(self.answers.dino, self.answers.tokens),
        }
        if knn is not None:
            line |= knn.evaluate(self.model.teacher.backbone)
        batch = self.recipe.batch
        self.watch.add(line, self.steps * batch, (self.course.steps - done) * batch)
        self.sums.zero_()
        self.steps = 0
        if step >= self.course.warmup:
            self._stop_collapsed(done, line)

    def _stop_collapsed(self, done: int, line: Mapping[str, Any]) -> None:
        name = self.watch.collapse(line, self.recipe.prototypes)
        if name is not None and self.recipe.stop_on_collapse:
            raise CollapseError(
                f"the training collapsed by step {done}: {name}; sharpen the teacher "
                "(teacher_temperature), give it centring: sinkhorn, or lower lr "
                "(stop_on_collapse: false trains on)"
            )

    def state(self) -> dict[str, Any]:
        return {
            "sums": self.sums,
            "steps": self.steps,
            "signs": self.watch.signs,
            "unreadable": self.pool.unreadable,
        }

    def resume(self, step: int, state: Mapping[str, Any]) -> None:
        self.watch.resume(step)
        if not step and self.knn is not None:
            first = {"step": 0, **self.knn.evaluate(self.model.teacher.backbone)}
            self.watch.add(first, images=0, left=self.course.steps * self.recipe.batch)
        if state:
            self.sums, self.steps = state["sums"], state["steps"]
            self.watch.signs = dict(state["signs"])
            self.pool.unreadable.update(state["unreadable"])

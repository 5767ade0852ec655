"""What surrounds a step of any pretraining: images read ahead, a log, the online evaluation."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.training.job import Batch, Hooks
from omnibench.training.processes import own_rows, sum_over_processes

from .held import HeldImages
from .knn import OnlineKnn
from .recipes import PretrainingRecipe
from .watch import Watch

READERS = 4  # threads that decode images where they are not held in memory


class Course(Protocol):
    """How many steps there are, and their rates.

    Attributes:
        steps: in all; `epoch`: of an epoch.
    """

    steps: int
    epoch: int

    def rate(self, step: int) -> float:
        """Return the full learning rate of a step."""
        ...


class Trainer(Hooks):
    """Reads the images of each step, sums its losses, and writes the log.

    Args:
        unreadable: names of images that could not be read, by their index.
        knn: evaluated every `knn_steps` steps, or each epoch, and in the end; None for none.

    Attributes:
        parts: the names of the losses that `losses` gives; their sum is the loss.
    """

    parts: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        recipe: PretrainingRecipe,
        images: HeldImages,
        unreadable: dict[int, str],
        course: Course,
        watch: Watch,
        knn: OnlineKnn | None,
    ) -> None:
        self.recipe, self.images, self.unreadable = recipe, images, unreadable
        self.course, self.watch, self.knn = course, watch, knn
        self.readers = ThreadPoolExecutor(READERS)
        self.read: dict[tuple[int, ...], list[Future[NDArray[np.uint8]]]] = {}
        self.losses_of_step = torch.zeros(
            len(self.parts), dtype=torch.float64
        )  # of this step and process
        self.sums = torch.zeros_like(self.losses_of_step)  # of all processes since the last line
        self.steps = 0

    def show(self, batch: Batch, images: NDArray[np.uint8]) -> None:
        """Make of a step's images what the network sees of them, before its first forward pass."""
        raise NotImplementedError

    def losses(self, places: Tensor, whole: int) -> Tensor:
        """Return a part's contributions to the losses of a step, [len(parts)].

        Args:
            places: of the part among this process's images of the step.
            whole: the number of images of the step.
        """
        raise NotImplementedError

    def moved(self, step: int) -> None:
        """Called when the optimiser has made its step; by itself nothing."""

    def facts(self, step: int) -> dict[str, float]:
        """Return what else a line of the log says of a step."""
        raise NotImplementedError

    def evaluation(self) -> dict[str, float | None]:
        """Return what is evaluated online."""
        return {} if self.knn is None else self.knn.evaluate(self.embed)

    def embed(self, pixels: Tensor) -> Tensor:
        """Return the features of prepared pixels that the online evaluation judges, [B, D]."""
        raise NotImplementedError

    def judge(self, step: int, line: Mapping[str, Any]) -> None:
        """Called with each line; raises where the training should end. By itself nothing."""

    @property
    def evaluates(self) -> bool:
        """Whether anything is evaluated online."""
        return self.knn is not None

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
        self.show(batch, images)
        self.first = int(batch.places[0])
        self.losses_of_step.zero_()

    def loss(self, batch: Batch) -> Tensor:
        """Return a micro-batch's part of the step's loss."""
        losses = self.losses(batch.places - self.first, len(batch.whole))
        self.losses_of_step += losses.detach().cpu().double()
        return losses.sum()

    def after(self, step: int, loss: float, norm: float) -> None:
        self.moved(step)
        sum_over_processes([self.losses_of_step])
        self.sums += self.losses_of_step
        self.steps += 1
        done = step + 1
        last = done == self.course.steps
        between = self.recipe.knn_steps or self.course.epoch
        evaluates = self.evaluates and (last or done % between == 0)
        if done % self.recipe.log_steps and not last and not evaluates:
            return
        means = dict(zip(self.parts, (self.sums / self.steps).tolist(), strict=True))
        line = {
            "step": done,
            "loss": sum(means.values()),
            **means,
            "gradient_norm": norm,
            "lr": self.course.rate(step),
            **self.facts(step),
        }
        if evaluates:
            line |= self.evaluation()
        batch = self.recipe.batch
        self.watch.add(line, self.steps * batch, (self.course.steps - done) * batch)
        self.sums.zero_()
        self.steps = 0
        self.judge(step, line)

    def state(self) -> dict[str, Any]:
        return {
            "sums": self.sums,
            "steps": self.steps,
            "signs": self.watch.signs,
            "unreadable": self.unreadable,
        }

    def resume(self, step: int, state: Mapping[str, Any]) -> None:
        self.watch.resume(step)
        if not step and self.evaluates:
            first = {"step": 0, **self.evaluation()}
            self.watch.add(first, images=0, left=self.course.steps * self.recipe.batch)
        if state:
            self.sums, self.steps = state["sums"], state["steps"]
            self.watch.signs = dict(state["signs"])
            self.unreadable.update(state["unreadable"])

"""A self-distillation's steps: crops, the teacher's answers, losses, the teacher's move."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.errors import CollapseError
from omnibench.training.job import Batch

from .crops import Cropper, Crops
from .distillation import Answers, Distillation
from .groups import Course
from .held import HeldImages
from .knn import OnlineKnn
from .recipes import DistillationRecipe
from .trainer import Trainer
from .watch import Watch, teacher_facts


class DistillationTrainer(Trainer):
    """Makes the steps of a self-distillation."""

    parts = ("dino", "ibot", "koleo")
    recipe: DistillationRecipe
    course: Course
    crops: Crops
    answers: Answers

    def __init__(
        self,
        model: Distillation,
        recipe: DistillationRecipe,
        images: HeldImages,
        unreadable: dict[int, str],
        cropper: Cropper,
        course: Course,
        watch: Watch,
        knn: OnlineKnn | None,
        device: str,
    ) -> None:
        super().__init__(recipe, images, unreadable, course, watch, knn)
        self.model, self.cropper, self.device = model, cropper, device

    def show(self, batch: Batch, images: NDArray[np.uint8]) -> None:
        self.crops = self.cropper.crops(images, batch.step, batch.places, len(batch.whole))
        temperature = self.course.temperature(batch.step)
        self.answers = self.model.answers(self.crops, temperature, self.device)

    def losses(self, places: Tensor, whole: int) -> Tensor:
        parts = self.model.losses(self.crops.of_images(places), self.answers, places, whole)
        return torch.stack([parts[name].float() for name in self.parts])

    def moved(self, step: int) -> None:
        self.model.follow(self.course.momentum(step))

    def facts(self, step: int) -> dict[str, float]:
        return {
            "temperature": self.course.temperature(step),
            "momentum": self.course.momentum(step),
            **teacher_facts(self.answers.dino, self.answers.tokens),
        }

    def embed(self, pixels: Tensor) -> Tensor:
        """Return the teacher's class tokens."""
        tokens: Tensor = self.model.teacher.backbone(pixels)[0]
        return tokens

    def judge(self, step: int, line: Mapping[str, Any]) -> None:
        if step < self.course.warmup:
            return
        name = self.watch.collapse(line, self.recipe.prototypes)
        if name is not None and self.recipe.stop_on_collapse:
            raise CollapseError(
                f"the training collapsed by step {step + 1}: {name}; sharpen the teacher "
                "(teacher_temperature), give it centring: sinkhorn, or lower lr "
                "(stop_on_collapse: false trains on)"
            )

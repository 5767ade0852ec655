"""Pretraining: self-distillation without labels, whose teacher becomes a backbone. No torch."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from omnibench.catalogue import register_task
from omnibench.options import WatchedBy
from omnibench.task import Adaptation, Definition, Outcome

from .metrics import DEFINITIONS
from .recipes import OMNIRAD, SMALL

if TYPE_CHECKING:
    from omnibench.cell import Unit
    from omnibench.context import Context


class PretrainingOptions(BaseModel):
    """Options of every method.

    Attributes:
        knn: a labelled dataset that the teacher's features are judged by while it trains.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    knn: WatchedBy = None


class PretrainingTask:
    """A backbone's weights from images without labels."""

    name = "pretraining"
    version = 1
    definitions: Mapping[str, Definition] = DEFINITIONS
    reported: tuple[str, ...] = (
        "online-knn/accuracy",
        "online-knn/auc",
        "pretraining-course/loss",
        "feature-spread/effective-rank",
    )
    adaptations: Mapping[str, Adaptation] = {
        "dinov2-global": Adaptation(
            "dinov2-global",
            trains="the backbone, by DINO and iBOT against its moving average (DINOv2)",
            varies="training seed",
            recipes={"small": SMALL, "omnirad": OMNIRAD},
            options=PretrainingOptions,
            through_backbone=True,
            passes=8,  # of two crops: the student's forward and backward, the teacher's forward
        )
    }

    def run(self, unit: "Unit", context: "Context") -> Iterator[Outcome]:
        """Yield one outcome a repetition."""
        from .runner import run

        return run(unit, context)


register_task(PretrainingTask())

"""Pretraining: self-distillation without labels, whose teacher becomes a backbone. No torch."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from omnibench.catalogue import register_task
from omnibench.options import WatchedBy
from omnibench.task import Adaptation, Task

from .metrics import METRICS
from .recipes import OMNIRAD, SMALL
from .refusals import refusals

if TYPE_CHECKING:
    from collections.abc import Callable

    from omnibench.cell import Unit
    from omnibench.context import Context
    from omnibench.training.trial import Trial


class PretrainingOptions(BaseModel):
    """Options of every method.

    Attributes:
        knn: a labelled dataset that the teacher's features are judged by while it trains.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    knn: WatchedBy = None


class PretrainingTask(Task):
    """A backbone's weights from images without labels."""

    name = "pretraining"
    metrics = METRICS
    makes_backbones = True
    pictures = {  # noqa: RUF012
        "curves": "Pretraining curves: loss, teacher entropy, feature rank and kNN over steps"
    }
    own = {  # noqa: RUF012
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

    def doubts(self, records: Sequence[Mapping[str, Any]], cases: int) -> Iterator[str]:
        """Yield each sign of collapse that lasted to the end."""
        signs = (sign for record in records for sign in record["notes"].get("collapse", ()))
        return (f"collapsed, {sign}" for sign in dict.fromkeys(signs))

    def refusals(self, unit: "Unit", facts: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong with a unit, as far as that is known before it is computed."""
        return refusals(unit)

    def prepare(self, unit: "Unit", context: "Context") -> "Callable[[int], Trial]":
        """Return what makes the trial of a self-distillation."""
        from .trial import prepare

        return prepare(unit, context)


register_task(PretrainingTask())

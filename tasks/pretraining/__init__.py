"""Pretraining without labels: what it trains becomes a backbone. No torch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from omnibench.catalogue import register_task
from omnibench.options import WatchedBy
from omnibench.registry import import_attribute
from omnibench.task import Adaptation, Task

from .amae_options import SMALL_AMAE, AmaeOptions
from .mae_options import Mae3dOptions, MaeOptions
from .mae_recipes import MAE, SMALL_MAE, SMALL_MAE_3D, TANGERINE
from .metrics import METRICS
from .recipes import OMNIRAD, SMALL
from .refusals import of_amae, of_distillation, of_mae, of_mae3d, refusals

if TYPE_CHECKING:
    from collections.abc import Callable

    from omnibench.cell import Unit
    from omnibench.context import Context
    from omnibench.training.trial import Trial


class DistillationOptions(BaseModel):
    """Options of self-distillation.

    Attributes:
        knn: a labelled dataset that the teacher's features are judged by while it trains.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    knn: WatchedBy = None


@dataclass(frozen=True)
class Method(Adaptation):
    """A way to train a backbone without labels.

    Attributes:
        prepare: "module:function" that makes its trials, as `Task.prepare` does.
        refuses: yields what is wrong with a unit of it alone, as `Task.refusals` does.
    """

    prepare: str = "omnibench.tasks.pretraining.distillation_trial:prepare"
    refuses: "Callable[[Unit], Iterator[str]]" = of_distillation


class PretrainingTask(Task):
    """A backbone's weights from images without labels."""

    name = "pretraining"
    metrics = METRICS
    makes_backbones = True
    pictures = {  # noqa: RUF012
        "curves": "Pretraining curves: loss, spread and rank of features, and kNN over steps"
    }
    own = {  # noqa: RUF012
        "dinov2-global": Method(
            "dinov2-global",
            trains="the backbone, by DINO and iBOT against its moving average (DINOv2)",
            varies="training seed",
            recipes={"small": SMALL, "omnirad": OMNIRAD},
            options=DistillationOptions,
            through_backbone=True,
            passes=8,  # of two crops: the student's forward and backward, the teacher's forward
        ),
        "mae": Method(
            "mae",
            trains="the backbone, by restoring patches that it does not see (MAE)",
            varies="training seed",
            recipes={"small": SMALL_MAE, "mae": MAE},
            options=MaeOptions,
            through_backbone=True,
            pool="mean",
            prepare="omnibench.tasks.pretraining.mae_trial:prepare",
            refuses=of_mae,
        ),
        "mae3d": Method(
            "mae3d",
            trains="the backbone, by restoring boxes of volumes that it does not see (TANGERINE)",
            varies="training seed",
            recipes={"small": SMALL_MAE_3D, "tangerine": TANGERINE},
            options=Mae3dOptions,
            through_backbone=True,
            pool="mean",
            inflates="inflate",
            prepare="omnibench.tasks.pretraining.mae3d_trial:prepare",
            refuses=of_mae3d,
        ),
        "amae": Method(
            "amae",
            trains="the backbone, by restoring hidden patches of whichever contrasts a study has",
            varies="training seed",
            recipes={"small": SMALL_AMAE},
            options=AmaeOptions,
            through_backbone=True,
            pool="mean",
            live_kind="tokens",
            prepare="omnibench.tasks.pretraining.amae_trial:prepare",
            refuses=of_amae,
        ),
    }

    def doubts(self, records: Sequence[Mapping[str, Any]], cases: int) -> Iterator[str]:
        """Yield each sign of collapse that lasted to the end."""
        signs = (sign for record in records for sign in record["notes"].get("collapse", ()))
        return (f"collapsed, {sign}" for sign in dict.fromkeys(signs))

    def refusals(self, unit: "Unit", facts: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong with a unit, as far as that is known before it is computed."""
        yield from refusals(unit)
        yield from self._method(unit).refuses(unit)

    def prepare(self, unit: "Unit", context: "Context") -> "Callable[[int], Trial]":
        """Return what makes the trial of a repetition."""
        prepare: Callable[[Unit, Context], Callable[[int], Trial]]
        prepare = import_attribute(self._method(unit).prepare)
        return prepare(unit, context)

    def _method(self, unit: "Unit") -> Method:
        method = self.adaptations[unit.adaptation]
        assert isinstance(method, Method)
        return method


register_task(PretrainingTask())

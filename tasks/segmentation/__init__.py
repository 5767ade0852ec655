"""Segmentation: a decoder or a linear layer on a backbone's maps. No torch."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from omnibench.catalogue import register_task
from omnibench.task import Adaptation, Definition, Outcome

from .metrics import DEFINITIONS
from .recipes import FULL, LINEAR, OMNIRAD, SMALL
from .width import decoder_flops

if TYPE_CHECKING:
    from omnibench.cell import Unit
    from omnibench.context import Context


class DecoderOptions(BaseModel):
    """Options of `decoder`.

    Attributes:
        prior: whether the convolutional prior and its projections are trained, as the paper says,
            or stay frozen at their random draw (their batch norms in training mode), as released.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prior: Literal["trained", "frozen"] = "trained"


class SegmentationTask:
    """A class for every pixel."""

    name = "segmentation"
    version = 1
    definitions: Mapping[str, Definition] = DEFINITIONS
    reported: tuple[str, ...] = (
        "per-image-foreground/dice",
        "per-image-foreground/miou",
        "hd95-max-directed/hd95",
    )
    adaptations: Mapping[str, Adaptation] = {
        adaptation.name: adaptation
        for adaptation in (
            Adaptation(
                "decoder",
                trains="a convolutional prior, a hybrid encoder and a U-shaped decoder on the "
                "frozen backbone's maps",
                varies="training seed",
                recipes={"small": SMALL, "omnirad": OMNIRAD},
                options=DecoderOptions,
                frozen_kind="maps",
                head_flops=decoder_flops,
            ),
            Adaptation(
                "linear",
                trains="a 1x1 convolution on the frozen, standardised last map",
                varies="head seed",
                recipes={"small": LINEAR, "omnirad": OMNIRAD},
                frozen_kind="maps",
            ),
            Adaptation(
                "full",
                trains="the backbone, and what `decoder` trains",
                varies="training seed",
                recipes={"small": FULL, "omnirad": OMNIRAD},
                through_backbone=True,
                live_kind="maps",
                head_flops=decoder_flops,
            ),
        )
    }

    def run(self, unit: "Unit", context: "Context") -> Iterator[Outcome]:
        """Yield one outcome a repetition."""
        from .runner import run

        return run(unit, context)


register_task(SegmentationTask())

"""Segmentation: a decoder or a linear layer on a backbone's maps. No torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from omnibench.adapt import FULL
from omnibench.catalogue import register_task
from omnibench.recipe import Recipe
from omnibench.samples import Beside, CaseAnswers
from omnibench.task import Adaptation, Predictions, Task

from .metrics import METRICS
from .recipes import FULL as FULL_RECIPE
from .recipes import LINEAR, OMNIRAD, SMALL
from .refusals import size_refusal, untrained_class
from .width import LARGEST_WIDTH, WIDTH_STEP, decoder_flops, decoder_parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from omnibench.cards import DatasetCard
    from omnibench.cell import Unit
    from omnibench.context import Context
    from omnibench.encoders.build import LoadedTrainable
    from omnibench.training.trained_network import Network
    from omnibench.training.trial import Trial

SIGMA = 2.0  # of heat around centrelines, in pixels
UNET = "omnibench.tasks.segmentation.heads:UNet"


class DecoderOptions(BaseModel):
    """Options of `decoder`.

    Attributes:
        prior: whether the convolutional prior and its projections are trained, as the paper says,
            or stay frozen at their random draw (their batch norms in training mode), as released.
        width: of the decoder; None for the study's rule, see `width.decoder_width`.
        detail: whether it goes on from an eighth of the input size up to the input size, beside
            convolutions of the pixels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prior: Literal["trained", "frozen"] = "trained"
    width: Annotated[int, Field(gt=0, le=LARGEST_WIDTH, multiple_of=WIDTH_STEP)] | None = None
    detail: bool = False


class TargetOptions(BaseModel):
    """What a head that tells classes is trained on.

    Attributes:
        target: the masks' classes, or heat around the centrelines of their regions: of a class
            whose centreline is d pixels away exp(-d^2 / (2 sigma^2)).
        sigma: of that heat, in pixels of the input size.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: Literal["mask", "centreline"] = "mask"
    sigma: Annotated[float, Field(gt=0, allow_inf_nan=False)] = SIGMA

    @model_validator(mode="after")
    def _sigma_is_of_centrelines(self) -> Self:
        if self.target == "mask" and self.sigma != SIGMA:
            raise ValueError("sigma is of target: centreline; give that, or leave sigma out")
        return self


class DecoderTargetOptions(TargetOptions, DecoderOptions):
    """Options of `decoder` where it tells classes."""


@dataclass(frozen=True)
class OnFrozenMaps(Adaptation):
    """A head on the kept maps of a frozen backbone.

    Attributes:
        head: "module:class" of a `heads.Head`.
    """

    head: str = UNET


def is_decoded(adaptation: Adaptation) -> bool:
    """Return whether the decoder stands on the maps, not another head."""
    return not isinstance(adaptation, OnFrozenMaps) or adaptation.head == UNET


def under_decoder(adaptation: Adaptation) -> Adaptation:
    """Return an adaptation of the backbone, with what the decoder on it costs."""
    backbone = adaptation.trained_parameters

    def trained_parameters(unit: "Unit") -> float:
        return decoder_parameters(unit) + (0.0 if backbone is None else backbone(unit))

    return replace(adaptation, head_flops=decoder_flops, trained_parameters=trained_parameters)


def adaptations_on_maps(
    *, decoder: Mapping[str, Recipe], linear: Mapping[str, Recipe], full: Mapping[str, Recipe]
) -> dict[str, Adaptation]:
    """Return `decoder`, `linear` and `full` of a task on maps, by name.

    Args:
        decoder, linear, full: the recipes of each, by name.
    """
    own = (
        OnFrozenMaps(
            "decoder",
            trains="a convolutional prior, a hybrid encoder and a U-shaped decoder on the "
            "frozen backbone's maps",
            varies="training seed",
            recipes=decoder,
            options=DecoderOptions,
            frozen_kind="maps",
            head_flops=decoder_flops,
            trained_parameters=decoder_parameters,
        ),
        OnFrozenMaps(
            "linear",
            trains="a 1x1 convolution on the frozen, standardised last map",
            varies="head seed",
            recipes=linear,
            frozen_kind="maps",
            head="omnibench.tasks.segmentation.heads:Linear",
        ),
        under_decoder(
            replace(
                FULL,
                trains="the backbone, and what `decoder` trains",
                recipes=full,
                live_kind="maps",
            )
        ),
    )
    return {adaptation.name: adaptation for adaptation in own}


def with_targets(own: Mapping[str, Adaptation]) -> dict[str, Adaptation]:
    """Return adaptations on maps, of which those on frozen ones have a target of choice."""
    chosen = {
        "decoder": replace(own["decoder"], options=DecoderTargetOptions),
        "linear": replace(own["linear"], options=TargetOptions),
    }
    return {**own, **chosen}


class SegmentationTask(Task):
    """A class for every pixel."""

    name = "segmentation"
    metrics = METRICS
    views = frozenset({"corrupted images"})
    budgets = frozenset({"share"})
    own = with_targets(
        adaptations_on_maps(
            decoder={"small": SMALL, "omnirad": OMNIRAD},
            linear={"small": LINEAR, "omnirad": OMNIRAD},
            full={"small": FULL_RECIPE, "omnirad": OMNIRAD},
        )
    )
    offers = frozenset({"module"})
    live_kind = "maps"
    recipes = {"small": FULL_RECIPE, "omnirad": OMNIRAD}  # noqa: RUF012
    pictures = {  # noqa: RUF012
        "overlay": "Overlay sheet: test images with the predicted outline laid over the reference: "
        "green correct, blue over-predicted, red missed"
    }

    def offered(self, adaptation: Adaptation) -> Adaptation:
        """Return a registered adaptation with the recipes of this task, under its decoder."""
        return under_decoder(super().offered(adaptation))

    def refusals(self, unit: "Unit", facts: Mapping[str, Any]) -> Iterator[str]:
        """Yield an input size that the decoder refuses, and a class that no training mask shows."""
        adaptation = self.adaptations[unit.adaptation]
        if is_decoded(adaptation) and (refusal := size_refusal(unit.recipe["input_size"])):
            yield refusal
        for name in facts.get("untrained_masks", ())[:1]:
            yield untrained_class(name, unit.recipe["limit"])

    def case_answers(
        self, predictions: Predictions, dataset: "DatasetCard", beside: Beside
    ) -> CaseAnswers:
        """Return each test image's Dice and, where masks are stored, what paints them."""
        from .samples import case_answers

        return case_answers(predictions, beside("masks.npz"))

    def keeps_weights(self, adaptation: Adaptation) -> bool:
        """Return that it does, whatever is trained."""
        return True

    def network(
        self, record: Mapping[str, Any], loaded: "LoadedTrainable", state: "Mapping[str, Tensor]"
    ) -> "Network":
        """Make a record's backbone with its head on maps."""
        from .deployed import network

        adaptation = self.adaptations[record["spec"]["adaptation"]]
        return network(record, loaded, adaptation, state, "logits [B, C, S, S]")

    def prepare(self, unit: "Unit", context: "Context") -> "Callable[[int], Trial]":
        """Return what makes the trial of a head on kept maps, or of a backbone under a decoder."""
        from .trial import prepare

        return prepare(unit, context, self.adaptations[unit.adaptation])


register_task(SegmentationTask())

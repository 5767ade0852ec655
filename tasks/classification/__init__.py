"""Classification: probes on frozen features, and trained heads, LoRA and backbones. No torch."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from omnibench.catalogue import register_task
from omnibench.task import Adaptation, Definition, Outcome

from .metrics import DEFINITIONS
from .recipes import KnnRecipe, LinearRecipe, TrainedRecipe, trained

if TYPE_CHECKING:
    from omnibench.cards import BackboneCard
    from omnibench.cell import Unit
    from omnibench.context import Context


TIMM_NAMED = ("timm", "random")
PAST_THEIR_LAYERS = ("beit", "eva", "dinov3", "swinv2", "siglip", "efficientvit", "clip", "aimv2")


class LoraOptions(BaseModel):
    """Options of `lora`.

    Attributes:
        r, alpha: rank and scale (alpha / r) of the update.
        head: trained in full, or wrapped in LoRA over random frozen weights, as released.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    r: Annotated[int, Field(gt=0)]
    alpha: Annotated[int, Field(gt=0)]
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    head: Literal["full", "lora"] = "full"


def _lora_reached_less(card: "BackboneCard") -> bool:
    """Whether LoRA up to schema 1 may have missed layers: those whose weight is used past them.

    So it is with the qkv of timm's BEiT, EVA (DINOv3 is one) and Swin v2 and with pooling heads;
    not with plain ViTs and CNNs. Where no name tells the architecture, it may be any.
    """
    name = card.architecture or (card.source_name if card.source_kind in TIMM_NAMED else "")
    own = card.source.startswith("omnibench.")  # the one builder of ours makes a CNN
    return not own and (not name or any(part in name for part in PAST_THEIR_LAYERS))


class ClassificationTask:
    """A class, or several yes-or-no labels, for every image."""

    name = "classification"
    version = 1
    definitions: Mapping[str, Definition] = DEFINITIONS
    reported: tuple[str, ...] = (
        "omnirad-classification/macro-f1",
        "omnirad-classification/accuracy",
        "omnirad-classification/auc",
    )
    adaptations: Mapping[str, Adaptation] = {
        adaptation.name: adaptation
        for adaptation in (
            Adaptation(
                "linear",
                trains="a linear layer on frozen, standardised embeddings",
                varies="head seed",
                recipes={"small": LinearRecipe()},
                frozen_kind="embed",
            ),
            Adaptation(
                "knn",
                trains="nothing: cosine-weighted votes of the nearest training embeddings",
                varies="nothing",
                recipes={"small": KnnRecipe()},
                frozen_kind="embed",
            ),
            Adaptation(
                "head",
                trains="a linear head under augmentation; the backbone is frozen",
                varies="training seed",
                recipes=trained(TrainedRecipe(lr=1e-3)),
            ),
            Adaptation(
                "full",
                trains="backbone and head",
                varies="training seed",
                recipes=trained(TrainedRecipe(lr=1e-4)),
                through_backbone=True,
            ),
            Adaptation(
                "lora",
                trains="low-rank updates of the backbone's layers, and a head",
                varies="training seed",
                recipes=trained(TrainedRecipe(lr=1e-3)),
                options=LoraOptions,
                through_backbone=True,
                changed_since_1=_lora_reached_less,
            ),
        )
    }

    def run(self, unit: "Unit", context: "Context") -> Iterator[Outcome]:
        """Yield one outcome a repetition."""
        from .runner import run

        return run(unit, context)


register_task(ClassificationTask())

"""A backbone that is looked at by `check`: loaded, with what its architecture tells."""

from dataclasses import dataclass
from typing import Any

from omnibench.architecture import Architecture, architecture_of, completed
from omnibench.architecture.facts import IMAGE_SIDE
from omnibench.cards import BackboneCard
from omnibench.context import Context
from omnibench.encoders.build import Loaded, load_encoder
from omnibench.encoders.timm_encoder import TimmEncoder
from omnibench.errors import OmnibenchError, WeightsError, one_line


@dataclass(frozen=True)
class Subject:
    """A backbone that is looked at.

    Attributes:
        own: its card as it was registered.
        card: the same with what its architecture tells.
    """

    own: BackboneCard
    card: BackboneCard
    recipe: dict[str, Any]
    loaded: Loaded


def load_subject(own: BackboneCard, context: Context) -> Subject:
    """Load a backbone in full precision, at 224 px or the nearest size that it takes.

    Raises:
        OmnibenchError: as `load_encoder`; a builder that raises is a WeightsError.
    """
    architecture = architecture_of(own, context.data, context.results)
    card = completed(own, architecture) if architecture else own
    size = usual_size(card, architecture)
    recipe = {"input_size": size, "normalization": "backbone", "precision": "fp32"}
    try:
        loaded = load_encoder(card, recipe, context.device, context.data, context.results)
    except OmnibenchError:
        raise
    except Exception as error:  # whatever a builder or a configuration raises
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise WeightsError(
            f"{own.id}: {own.source} cannot be built ({reason}); mend the builder"
        ) from error
    if architecture is None and isinstance(loaded.encoder, TimmEncoder):
        card = completed(card, loaded.encoder.architecture)
    return Subject(own, card, recipe, loaded)


def usual_size(card: BackboneCard, architecture: Architecture | None) -> int:
    """Return the input size to look at a backbone with: 224 px, or the nearest that it takes."""
    if architecture is not None and architecture.fixed:
        return architecture.input_size[0]
    patch = card.patch or 1
    return IMAGE_SIDE // patch * patch or patch

"""The adaptation `dps`: maps refined until they fit the image (DynamicDPS, arXiv 2503.01075)."""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict
from refine_lesions import CARD as CARD  # registers the dataset where this file is a plug-in

from omnibench import Adaptation, Metric, Predictions, Unit, register_adaptation, register_metric


class DpsOptions(BaseModel):
    """Options of `dps`.

    Attributes:
        operator: what the solver takes an image for: the means of blocks, which it is, or the means
            of a blurred map, so that the operator is another than the one that made the data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    operator: Literal["same", "mismatched"] = "same"


def mean_steps(predictions: Predictions) -> float | None:
    """Return the mean of the denoising steps that images took; None of other models."""
    return float(predictions["test_steps"].mean()) if "test_steps" in predictions else None


def refusals(unit: Unit) -> Iterator[str]:
    """Yield that images do not show blocks of their maps."""
    if unit.dataset.maps is None or unit.dataset.maps.block is None:
        yield "`dps` needs a card whose `maps` name the `block` that images show; use `decoder`"


register_adaptation(
    Adaptation(
        "dps",
        trains="a head on frozen maps, and a denoiser of maps that refines its output",
        varies="training seed",
        defaults={"epochs": 16, "lr": 8e-3, "precision": "fp32"},
        options=DpsOptions,
        needs="maps",
        attach="refine_model:attach",
        refusals=refusals,
        further_views=("before", "projected"),
    )
)
register_metric("dense", Metric("refinement/steps", mean_steps, "steps", "down"))

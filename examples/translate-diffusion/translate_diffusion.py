"""The adaptation `diffusion` of dense targets: maps are sampled, given a backbone's frozen maps.

omnibench run translate-diffusion.yaml && omnibench report translate-diffusion.yaml

After CoCoLIT (arXiv 2508.01292). What is trained stands in `translate_model.py`.
"""

from collections.abc import Iterator, Mapping

from numpy import float64
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from omnibench import (
    Adaptation,
    Predictions,
    Unit,
    metrics_of_pass,
    register_adaptation,
    register_metric,
)


class DiffusionOptions(BaseModel):
    """Options of `diffusion`.

    Attributes:
        wisl: whether the weighted loss of the decoded image is added to that of the latents.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    wisl: bool = True


def spreads(predictions: Predictions) -> Mapping[str, NDArray[float64]]:
    """Return each test image's standard deviation over samples [N]; {} of other models."""
    return {"sd": predictions["test_spread"]} if "test_spread" in predictions else {}


def spread(predictions: Predictions) -> Mapping[str, float | None]:
    """Return its mean over the test images; None of a model that gives no samples."""
    own = spreads(predictions)
    return {"sd": float(own["sd"].mean()) if own else None}


def refusals(unit: Unit) -> Iterator[str]:
    """Yield that a pixel has several numbers."""
    if unit.dataset.maps is not None and unit.dataset.maps.channels:
        yield "`diffusion` takes maps of one number a pixel; use `decoder`"


register_adaptation(
    Adaptation(
        "diffusion",
        trains="a conditional diffusion model of latents on frozen maps, and their decoder",
        varies="training seed",
        defaults={"epochs": 30, "lr": 2e-3, "precision": "fp32"},
        options=DiffusionOptions,
        needs="maps",
        attach="translate_model:attach",
        refusals=refusals,
        further_views=("m1", "m4", "m16", "m64"),
    )
)
for metric in metrics_of_pass(
    "sample-spread",
    ("sd",),
    spread,
    per_case=spreads,
    reported=("sd",),
    neither=("sd",),
    unit="units of the map",
):
    register_metric("dense", metric)

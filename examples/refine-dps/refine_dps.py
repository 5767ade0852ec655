"""The adaptation `dps` of dense targets: maps are predicted, then refined until they fit the image.

omnibench run refine-dps.yaml && omnibench report refine-dps.yaml

After DynamicDPS (arXiv 2503.01075). What is trained stands in `refine_model.py`.
"""

from collections.abc import Mapping
from typing import Literal

from numpy import float64
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from refine_lesions import BLOCK as BLOCK  # registers the dataset where this file is a plug-in

from omnibench import (
    Adaptation,
    Predictions,
    metrics_of_pass,
    register_adaptation,
    register_metric,
)


class DpsOptions(BaseModel):
    """Options of `dps`.

    Attributes:
        operator: what the solver takes an image for: the means of blocks, which it is, or the means
            of a blurred map, so that the operator is another than the one that made the data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    operator: Literal["same", "mismatched"] = "same"


def steps(predictions: Predictions) -> Mapping[str, NDArray[float64]]:
    """Return the denoising steps that each test image took [N]; {} of other models."""
    return {"steps": predictions["test_steps"]} if "test_steps" in predictions else {}


def mean_steps(predictions: Predictions) -> Mapping[str, float]:
    """Return their mean over the test images."""
    return {name: float(values.mean()) for name, values in steps(predictions).items()}


register_adaptation(
    Adaptation(
        "dps",
        trains="a head on frozen maps, and a denoiser of maps that refines its output",
        varies="training seed",
        defaults={"epochs": 16, "lr": 8e-3, "precision": "fp32"},
        options=DpsOptions,
        needs="maps",
        attach="refine_model:attach",
        further_views=("before", "projected"),
    )
)
for metric in metrics_of_pass(
    "refinement",
    ("steps",),
    mean_steps,
    per_case=steps,
    reported=("steps",),
    down=("steps",),
    unit="steps",
):
    register_metric("dense", metric)

"""The options of quantitative MRI's adaptations. No torch here."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

TIMES = "voxel_latency"  # of a record's cost: microseconds by answer and voxels at a time
SLICE = 128 * 128  # voxels of a slice, where they are timed
Likelihood = Literal["rician", "gaussian"]


class NetworkOptions(BaseModel):
    """Options of the network.

    Attributes:
        trained_on: what it is trained on and chosen by: the true parameters, or those that maximum
            likelihood under Rician noise gives of the same noisy signals.
        runtime: what answers: torch, or the exported graph in ONNX Runtime, which is compared with
            torch and timed beside it and the fit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trained_on: Literal["truth", "fitted"] = "truth"
    runtime: Literal["torch", "onnx"] = "torch"


class FitOptions(BaseModel):
    """Options of the fit.

    Attributes:
        likelihood: of the noise that is assumed; `gaussian` is least squares.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    likelihood: Likelihood = "rician"

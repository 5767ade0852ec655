"""The options of quantitative MRI's adaptations. No torch here."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Likelihood = Literal["rician", "gaussian"]


class NetworkOptions(BaseModel):
    """Options of the network.

    Attributes:
        trained_on: what it is trained on and chosen by: the true parameters, or those that maximum
            likelihood under Rician noise gives of the same noisy signals.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trained_on: Literal["truth", "fitted"] = "truth"


class FitOptions(BaseModel):
    """Options of the fit.

    Attributes:
        likelihood: of the noise that is assumed; `gaussian` is least squares.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    likelihood: Likelihood = "rician"

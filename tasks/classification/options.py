"""The options of classification's own adaptations. No torch here."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model


class LinearOptions(BaseModel):
    """Options of `linear`.

    Attributes:
        solver: AdamW in steps, or L-BFGS to the optimum of the penalised loss.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    solver: Literal["adamw", "lbfgs"] = "adamw"


_FIELDS: dict[str, Any] = {
    "lambda": (Annotated[float, Field(ge=0, allow_inf_nan=False)], 1.0),
    "activation": (Literal["softplus", "relu", "exp"], "softplus"),
}
# Made by a function, as no class body can have a field that is called `lambda`.
EvidentialOptions: type[BaseModel] = create_model(
    "EvidentialOptions",
    __config__=ConfigDict(frozen=True, extra="forbid"),
    __doc__="""Options of `evidential`.

    Attributes:
        lambda: weight of the KL term, which takes away evidence for what is not the case; it is
            reached after ten epochs.
        activation: what makes evidence of the layer's outputs.
    """,
    **_FIELDS,
)

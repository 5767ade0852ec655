"""The options and the recipe of `amae`. No torch."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from omnibench.training.plan import TrainingRecipe

Count = Annotated[int, Field(gt=0)]


class AmaeOptions(BaseModel):
    """Options of `amae`; the mask ratio is MAE's, the other values are ours.

    Attributes:
        mask: share of the patches of all contrasts of a study that the encoder does not see.
        tokenizer: as of `contrast-tokens`; those whose patch embedding a backbone can keep.
        decoder_width, decoder_depth, decoder_heads: of the decoder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mask: Annotated[float, Field(gt=0, lt=1)] = 0.75
    tokenizer: Literal["shared", "dynamic"] = "shared"
    decoder_width: Annotated[int, Field(gt=0, multiple_of=4)] = 128
    decoder_depth: Count = 2
    decoder_heads: Count = 4

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if self.decoder_width % self.decoder_heads:
            raise ValueError(
                f"decoder_heads {self.decoder_heads} does not divide decoder_width "
                f"{self.decoder_width}; give a number that does"
            )
        return self


class AmaeRecipe(TrainingRecipe):
    """Fields of `amae`: those of the training loop. Images are not augmented."""

    @field_validator("selection", "budget")
    @classmethod
    def _check_labels(cls, value: str) -> str:
        if value in ("matched-val", "steps"):
            raise ValueError(f"'{value}' says nothing of a pretraining, which has no labels")
        return value


# Minutes on two cores with a tiny ViT; the rates are ours.
SMALL_AMAE = AmaeRecipe(
    input_size=160,
    epochs=20,
    batch=16,
    lr=1e-3,
    weight_decay=0.05,
    betas=(0.9, 0.95),
    warmup_epochs=2,
    selection="last",
)

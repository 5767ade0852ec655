"""The options of the adaptations of volumes. No torch here."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = Annotated[int, Field(gt=0)]


class AttentionOptions(BaseModel):
    """Options of layers of attention over slices.

    Attributes:
        width: that slices are projected to; the heads divide it.
        layers, heads: of the attention.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: Count = 256
    layers: Count = 1
    heads: Count = 4

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if self.width % self.heads:
            raise ValueError(
                f"heads {self.heads} does not divide the width {self.width}; give a number that "
                "does"
            )
        return self


class MultiPlaneOptions(AttentionOptions):
    """Options of `multi-plane`.

    Attributes:
        fusion: "cross", each view's slices attend to those of the others before they are pooled;
            "late", they do not.
        presence: whether the head is told which views a study has ("vector").
        layers, heads: of the cross-attention alone.
    """

    fusion: Literal["cross", "late"] = "cross"
    presence: Literal["vector", "none"] = "vector"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.fusion == "late" and (self.layers, self.heads) != (1, 4):
            raise ValueError("layers and heads are of fusion: cross; leave them out")
        return self


class AnyMC3DOptions(BaseModel):
    """Options of `anymc3d`.

    Attributes:
        r, alpha: rank and scale (alpha / r) of the updates.
        pool: over the slices of each view and over the views.
        auxiliary: weight of the loss on the pixels of masks, which trains a decoder of patch tokens
            beside; 0 for none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    r: Count = 8
    alpha: Count = 16
    pool: Literal["attention", "mean", "max"] = "attention"
    auxiliary: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0

"""The options of the adaptations of volumes. No torch here."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(gt=0)]


class TransformerOptions(BaseModel):
    """Options of `transformer`.

    Attributes:
        layers, heads: of the transformer over slices; the heads divide the backbone's width.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    layers: Count = 1
    heads: Count = 4

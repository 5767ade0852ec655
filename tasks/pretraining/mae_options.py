"""The options of the masked autoencoders. No torch."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from omnibench.options import WatchedBy

Count = Annotated[int, Field(gt=0)]


class MaeOptions(BaseModel):
    """Options of `mae` (He et al. 2022).

    Attributes:
        knn: a labelled dataset that the features are judged by while it trains.
        mask: share of the patches that the encoder does not see.
        norm_pixels: restore each patch less its mean, over its deviation.
        decoder_width, decoder_depth, decoder_heads: of the decoder.
        head: what gives the pixels: a linear layer, or a sigmoid after it (of pixels in 0..1).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    knn: WatchedBy = None
    mask: Annotated[float, Field(gt=0, lt=1)] = 0.75
    norm_pixels: bool = True
    decoder_width: Count = 512
    decoder_depth: Count = 8
    decoder_heads: Count = 16
    head: Literal["linear", "sigmoid"] = "linear"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.norm_pixels and self.head == "sigmoid":
            raise ValueError(
                "a sigmoid gives 0..1, and normalised pixels lie on both sides of 0: leave head at "
                "linear, or give norm_pixels: false"
            )
        if self.decoder_width % self.decoder_heads:
            raise ValueError(
                f"decoder_heads {self.decoder_heads} does not divide decoder_width "
                f"{self.decoder_width}; give a number that does"
            )
        return self


class Mae3dOptions(MaeOptions):
    """Options of `mae3d`, with the defaults of TANGERINE (arXiv:2507.01881).

    Attributes:
        inflate: of a backbone of images: the slices of the volumes that it is inflated for, each
            kernel of its patch embedding repeated over a patch's depth and divided by it. None
            for a backbone of volumes.
    """

    norm_pixels: bool = False
    head: Literal["linear", "sigmoid"] = "sigmoid"
    inflate: Count | None = None


def visible_patches(patches: int, mask: float) -> int:
    """Return how many patches the encoder sees where a share of `mask` is hidden."""
    return int(patches * (1 - mask))

"""The recipes of masked autoencoders: every field and its value by name."""

from typing import Annotated, Literal

from pydantic import Field

from omnibench.training.plan import Share

from .recipes import Count, Positive, PretrainingRecipe


class MaskedRecipe(PretrainingRecipe):
    """Fields of every masked autoencoder.

    Attributes:
        lr, lr_scaling: `linear-256` multiplies the rate by batch / 256.
        flip: probability of a flip, of each axis that is flipped.
    """

    clip_norm: Positive | None = None
    betas: tuple[Share, Share] = (0.9, 0.95)
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    lr: Positive = 1.5e-4
    lr_scaling: Literal["linear-256", "none"] = "linear-256"
    flip: Share = 0.5

    @property
    def scaled_lr(self) -> float:
        """The full learning rate of this batch."""
        return self.lr * (self.batch / 256 if self.lr_scaling == "linear-256" else 1.0)


class MaeRecipe(MaskedRecipe):
    """Fields of `mae`; `input_size` is the side of a crop.

    Attributes:
        load_size: side at which images are held before they are cropped, in pixels.
        scale: a crop's share of the image's area.
    """

    load_size: Count = 256
    scale: tuple[Share, Share] = (0.2, 1.0)


class Mae3dRecipe(MaskedRecipe):
    """Fields of `mae3d`; volumes are flipped along rows and columns, and not cropped."""

    flip: Share = 0.2


# He et al. 2022, table 8: the published ViT-B and ViT-L.
MAE = MaeRecipe(
    input_size=224, normalization="imagenet", epochs=800, batch=4096, warmup_epochs=40.0
)

# Minutes on two cores: small crops and a rate that is not scaled down.
SMALL_MAE = MaeRecipe(
    input_size=64,
    load_size=72,
    epochs=20,
    batch=64,
    warmup_epochs=1.0,
    lr=1e-3,
    lr_scaling="none",
)

# TANGERINE's public code (arXiv:2507.01881): batches of 14, four of which are accumulated.
TANGERINE = Mae3dRecipe(
    input_size=256,
    epochs=400,
    batch=56,
    micro_batch=14,
    warmup_epochs=20.0,
    lr=1e-4,
    lr_scaling="none",
)

SMALL_MAE_3D = Mae3dRecipe(
    input_size=64, epochs=20, batch=16, warmup_epochs=1.0, lr=1e-3, lr_scaling="none"
)

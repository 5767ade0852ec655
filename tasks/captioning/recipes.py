"""The recipes of captioning: every field and its value by name."""

from typing import Annotated

from pydantic import Field

from omnibench.training.plan import TrainingRecipe


class CaptioningRecipe(TrainingRecipe):
    """Fields of every language model's training.

    Attributes:
        max_tokens: a longer caption is cut to so many tokens, begin and end included.
        visual_tokens: what the patch merger leaves of an image's tokens.
    """

    max_tokens: Annotated[int, Field(ge=4)] = 128
    visual_tokens: Annotated[int, Field(gt=0)] = 64


# A language model from scratch, and one that has learnt a language before.
FROM_SCRATCH = CaptioningRecipe(epochs=20, batch=32, lr=5e-4, weight_decay=0.01, warmup_epochs=1)
PRETRAINED = CaptioningRecipe(epochs=5, batch=32, lr=5e-5, weight_decay=0.01, warmup_epochs=0.5)

# The study's protocol. Its code warms up for 2500 steps, 2.668 epochs of ROCOv2 in batches of 64.
OMNIRAD = CaptioningRecipe(
    input_size=224,
    normalization="imagenet",
    epochs=20,
    batch=64,
    micro_batch=16,
    lr=5e-5,
    weight_decay=0.0,
    warmup_epochs=2.668,
    warmup_start=0.0,
    decay="linear",
)

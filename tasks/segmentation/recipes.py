"""The recipes of segmentation: every field and its value by name."""

from typing import Literal

from omnibench.training.plan import TrainingRecipe


class SegmentationRecipe(TrainingRecipe):
    """Fields of every segmentation adaptation.

    Attributes:
        score_at: the size at which predicted and true masks are compared: `input`, logits enlarged
            to the input size; `stride8`, where the decoder's logits are (an eighth of it);
            `native`, logits enlarged to the dataset's own masks.
        shape: also measure centrelines, topology and, where pixels have a size in mm, contours.
        keep_masks: store predicted and true masks of the test images at the size of scoring, so
            that a record can be rescored by what is not measured yet.
    """

    score_at: Literal["input", "stride8", "native"] = "input"
    shape: bool = False
    keep_masks: bool = False


SMALL = SegmentationRecipe(
    input_size=224, epochs=4, batch=8, lr=5e-4, weight_decay=1e-4, warmup_epochs=0.5
)
LINEAR = SMALL.model_copy(update={"epochs": 10, "batch": 16, "lr": 1e-2})
FULL = SMALL.model_copy(update={"lr": 1e-4})

# The study's protocol: where the paper is silent its public code is followed (docs/protocol.md).
OMNIRAD = SegmentationRecipe(
    input_size=448,
    normalization="imagenet",
    epochs=20,
    batch=16,
    lr=1e-4,
    weight_decay=1e-4,
    warmup_epochs=0,
    decay="none",
    clip_norm=None,
)

"""The recipes of pretraining: every field and its value by name.

The names follow the papers: DINO (Caron et al. 2021), iBOT (Zhou et al. 2022), DINOv2 (Oquab et al.
2023). Where the OmniRad study is silent, DINOv2's public configuration is followed.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from omnibench.training.plan import Share, TrainingRecipe

Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(gt=0)]


class PretrainingRecipe(TrainingRecipe):
    """Fields of every pretraining: nothing is validated, and the last step counts.

    Attributes:
        checkpoint_steps, checkpoints: write one after so many steps; how many are kept.
        log_steps: steps a line of the log, over which its losses are means.
        knn_steps: steps between two online kNN evaluations; None for one at the end of each epoch.
        unreadable: share of the images that may be unreadable.
    """

    decay: Literal["cosine"] = "cosine"
    schedule_step: Literal["step"] = "step"
    warmup_start: Share = 0.0
    warmup_clip_norm: None = None
    checkpoint_steps: Count | None = None
    checkpoints: Count = 2
    log_steps: Count = 10
    knn_steps: Count | None = None
    unreadable: Share = 0.01

    @field_validator("selection", "budget")
    @classmethod
    def _check_validation(cls, value: str) -> str:
        if value in ("matched-val", "last", "steps"):
            raise ValueError(
                f"'{value}' says nothing of a pretraining, which has no labels and validates "
                "nothing: leave it out"
            )
        return value

    @field_validator("evaluate")
    @classmethod
    def _check_evaluate(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if len(shares) > 1:
            raise ValueError(
                "nothing is validated in a pretraining: leave it out (knn_steps says when the "
                "online kNN is evaluated)"
            )
        return shares


class DistillationRecipe(PretrainingRecipe):
    """Fields of self-distillation; `input_size` is the side of a global crop.

    Attributes:
        micro_batch: images a forward pass, in which KoLeo looks for neighbours (DINOv2: a GPU's).
        load_size: side at which images are held before they are cropped, in pixels.
        global_scale, local_scale: a crop's share of the image's area.
        global_blur: probability of a blur, of the first and of the second global crop (as
            DINOv2's code runs; it names 1 and .1, but hands their complements on).
        local_crops, local_size: number and side of the local crops; 0 for global crops only.
        layer_scale: initial value of the residual branches' scales, where the backbone has none
            of its own; None for none.
        drop_path: share of a batch's images that skip a residual branch of the student.
        prototypes, head_layers, hidden, bottleneck: of each head (separate for DINO and iBOT).
        centring: what keeps the teacher from one answer: Sinkhorn-Knopp, a running mean, nothing.
        dino_weight, ibot_weight, koleo_weight: of the parts of the loss; KoLeo's a crop.
        dino_scale: `dinov2` divides the DINO terms by 2 + max(local terms, 1), as its code does
            (without local crops they weigh 2/3); `terms` by their number.
        mask_share, mask_ratio: share of the crops that are masked, share of their patches.
        student_temperature: of the softmax over prototypes.
        teacher_temperature, teacher_warmup_epochs: from the first to the second, linearly.
        momentum: of the teacher's moving average, from the first to the second by a cosine.
        lr, lr_scaling: `sqrt-1024` multiplies the rate by sqrt(batch / 1024).
        min_lr, final_weight_decay: where the cosines of rate and weight decay end.
        frozen_last_layer_epochs: the prototypes stay as they are.
        patch_embed_rate, layer_decay: factors of the rate, for the patch embedding and a block.
        checkpoint_activations: compute activations again in the backward pass, to save memory.
        stop_on_collapse: end the run when it collapses.
    """

    clip_norm: Positive | None = 3.0
    betas: tuple[Share, Share] = (0.9, 0.999)
    load_size: Count = 256
    global_scale: tuple[Share, Share] = (0.32, 1.0)
    global_blur: tuple[Share, Share] = (0.0, 0.9)
    local_crops: Annotated[int, Field(ge=0)] = 0
    local_size: Count = 98
    local_scale: tuple[Share, Share] = (0.05, 0.32)
    layer_scale: Positive | None = 1e-5
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.3
    prototypes: Annotated[int, Field(gt=1)] = 131072
    head_layers: Count = 3
    hidden: Count = 2048
    bottleneck: Count = 256
    centring: Literal["sinkhorn", "mean", "none"] = "sinkhorn"
    dino_weight: Weight = 1.0
    ibot_weight: Weight = 1.0
    koleo_weight: Weight = 0.1
    dino_scale: Literal["dinov2", "terms"] = "dinov2"
    mask_share: Share = 0.5
    mask_ratio: tuple[Share, Share] = (0.1, 0.5)
    student_temperature: Positive = 0.1
    teacher_temperature: tuple[Positive, Positive] = (0.04, 0.07)
    teacher_warmup_epochs: Weight = 3.0
    momentum: tuple[Share, Share] = (0.994, 1.0)
    lr: Positive = 2e-4
    lr_scaling: Literal["sqrt-1024", "none"] = "sqrt-1024"
    min_lr: Weight = 1e-6
    weight_decay: Weight = 0.04
    final_weight_decay: Weight = 0.2
    frozen_last_layer_epochs: Weight = 1.0
    patch_embed_rate: Share = 0.2
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 0.9
    checkpoint_activations: bool = False
    stop_on_collapse: bool = True

    @model_validator(mode="after")
    def _check_batch(self) -> Self:
        part = self.micro_batch or self.batch
        if part < 2:
            raise ValueError(
                "a batch of one image leaves Sinkhorn-Knopp and KoLeo nothing to compare: give "
                "batch, and micro_batch, at least 2"
            )
        if self.batch % part:
            raise ValueError(f"micro_batch {part} does not divide batch {self.batch}")
        if self.mask_ratio[0] > self.mask_ratio[1] or not self.mask_ratio[1]:
            raise ValueError("mask_ratio must rise, to more than 0")
        return self

    @property
    def scaled_lr(self) -> float:
        """The full learning rate of this batch."""
        scaled = self.lr_scaling == "sqrt-1024"
        return self.lr * ((self.batch / 1024) ** 0.5 if scaled else 1.0)


# Table 1 of the study for ViT-S/14 (ViT-B/14: batches of 196 a GPU, on an unstated number of GPUs).
# The warm-ups are those of DINOv2's 100 epochs, brought to 10.
OMNIRAD = DistillationRecipe(
    input_size=224,
    normalization="imagenet",
    epochs=10,
    batch=256,
    warmup_epochs=1.0,
    teacher_warmup_epochs=3.0,
)

# Minutes on two cores: small crops, few prototypes, a rate that is not scaled down.
SMALL = DistillationRecipe(
    input_size=64,
    load_size=72,
    epochs=20,
    batch=64,
    warmup_epochs=1.0,
    layer_scale=None,
    drop_path=0.1,
    prototypes=512,
    hidden=512,
    bottleneck=128,
    lr=1e-3,
    lr_scaling="none",
    teacher_temperature=(0.04, 0.04),
    frozen_last_layer_epochs=0.0,
    momentum=(0.97, 1.0),
)

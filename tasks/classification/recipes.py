"""The recipes of classification: every field and its value by name."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from omnibench.data.noisy_labels import TrainLabels
from omnibench.recipe import Recipe, Selection, StepBudget
from omnibench.training.plan import Share, TrainingRecipe

STRENGTHS = tuple(float(f"{10 ** (12 * step / 19 - 6):.4g}") for step in range(20))
GAMMA = 2.0  # of the focal loss, as Lin et al. 2017 set it
POLICY = r"rand-m(10|[0-9])(-n[1-9])?(-mstd[0-9](\.[0-9]+)?)?(-inc1)?"  # of RandAugment
Several = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]


def _policy(text: str) -> str:
    """Return a policy of RandAugment that timm reads as it is meant.

    Raises:
        ValueError: it is none, or one of which timm would cut or leave out a part.
    """
    if not re.fullmatch(POLICY, text):
        raise ValueError(
            f"'{text:.40}' is no policy; write one such as rand-m9, rand-m9-n3 or "
            "rand-m9-mstd0.5-inc1, its magnitude from 0 to 10"
        )
    return text


RandAugment = Annotated[str, AfterValidator(_policy)]


class LinearRecipe(Recipe):
    """Fields of the linear probe.

    Attributes:
        epochs: passes over the training features.
        batch: features a step (all of them where there are fewer).
        lr: AdamW's rates; each repetition keeps the one best on validation macro-F1.
        weight_decay: AdamW's, decoupled.
        selection, budget: as of `TrainingRecipe`; `last` takes a single rate.
        train_labels: those of training and validation; the test is always of clean ones.
    """

    epochs: Annotated[int, Field(gt=0)] = 40
    batch: Annotated[int, Field(gt=0)] = 128
    lr: Several | Annotated[float, Field(gt=0)] = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    selection: Selection = "full-val"
    train_labels: TrainLabels = "clean"
    budget: StepBudget = "epochs"

    @property
    def rates(self) -> tuple[float, ...]:
        """The rates as a tuple, one or many."""
        return self.lr if isinstance(self.lr, tuple) else (self.lr,)


class LogisticRecipe(Recipe):
    """Fields of the linear probe that L-BFGS fits.

    Attributes:
        C: strengths of regularisation as scikit-learn has them, a weight of the summed loss against
            half the squared weights; each repetition keeps the one best on validation macro-F1.
            Twenty from 1e-6 to 1e6, every fifth of the 96 of CLIP's sweep (Radford et al. 2021,
            A.3).
        selection: as of `TrainingRecipe`; `last` takes a single C.
        train_labels: as of the linear probe.
    """

    C: Several | Annotated[float, Field(gt=0)] = STRENGTHS
    selection: Selection = "full-val"
    train_labels: TrainLabels = "clean"

    @property
    def strengths(self) -> tuple[float, ...]:
        """The strengths as a tuple, one or many."""
        return self.C if isinstance(self.C, tuple) else (self.C,)


class KnnRecipe(Recipe):
    """Fields of the nearest-neighbour classifier.

    Attributes:
        k: numbers of neighbours to choose from on validation macro-F1.
        temperature: of the neighbours' weights exp(cosine / temperature).
        selection: as of `TrainingRecipe`; `last` takes a single k.
        train_labels: as of the linear probe.
    """

    k: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1)] = (
        1,
        3,
        5,
        10,
        20,
        50,
        100,
        200,
    )
    temperature: Annotated[float, Field(gt=0)] = 0.07
    selection: Selection = "full-val"
    train_labels: TrainLabels = "clean"


class LossRecipe(TrainingRecipe):
    """Fields of what is trained in steps on classes or labels.

    Attributes:
        class_weights: of the loss; `sqrt-inverse` is sqrt(N / n_c) for class c, `prevalence`
            (N - n_l) / n_l for the presence of a label l.
        loss: cross-entropy, or that times (1 - p)^gamma, p the probability of what is true.
        focal_gamma: of the focal loss.
        label_smoothing: share of a case's weight that all classes get alike.
        select: the metric of the validation cases that the best epoch is chosen by;
            `retfound-score` is the mean of macro-F1, macro AUC and Cohen's kappa.
    """

    class_weights: Literal["none", "sqrt-inverse", "prevalence"] = "none"
    loss: Literal["cross-entropy", "focal"] = "cross-entropy"
    focal_gamma: Annotated[float, Field(ge=0)] = GAMMA
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    select: Literal["macro-f1", "auc", "retfound-score"] = "macro-f1"

    @model_validator(mode="after")
    def _check_loss(self) -> Self:
        if self.loss != "focal" and self.focal_gamma != GAMMA:
            raise ValueError("focal_gamma is of the focal loss; add `loss: focal`")
        self.refuse_soft_targets("label_smoothing", self.label_smoothing)
        return self

    def refuse_soft_targets(self, name: str, value: float) -> None:
        """Refuse a field that gives a case a share of several classes where one is needed.

        Raises:
            ValueError: the loss is focal, or its classes are weighted.
        """
        if value and (self.loss != "cross-entropy" or self.class_weights != "none"):
            raise ValueError(
                f"{name} is of plain cross-entropy; leave it out, or set `loss: cross-entropy` and "
                "`class_weights: none`"
            )


class TrainedRecipe(LossRecipe):
    """Fields of `head`, `full`, `lora` and `molre`.

    Attributes:
        flip: probability of a horizontal flip.
        rotation: largest angle to either side, degrees.
        crop_scale: smallest share of the image's area that a random crop keeps.
        randaugment: a policy of timm's RandAugment, such as "rand-m9-mstd0.5-inc1": magnitude 0 to
            10, then in this order, if at all, number of operations (-n3), deviation of the
            magnitude and whether all operations grow with it; None for none.
        erasing: probability that a random box of an image becomes noise.
        mixup: alpha of the Beta law by which each image of a step is mixed with another; 0 for
            none.
        dropout: before the head.
        drop_path: share of a batch's images that skip residual branches of the backbone, at its
            end; before it fewer, as timm spreads it. Those of a frozen backbone are skipped, too.
        layer_decay: factor of the rate of a layer against that of the layer above it, as timm
            groups layers; vectors, class tokens and positions have no weight decay then. None for
            one rate and weight decay throughout.
        lr_scaling: `linear-256` multiplies `lr` and leaves `min_lr`: lr x batch / 256, whatever a
            label budget leaves of the batch.
        head_std: deviation of the normal law that the head's first weights are drawn by.
        train_labels: as of the linear probe.

    With `randaugment` or `erasing` images go one by one through timm's `create_transform`: it cuts
    and flips the whole image by `crop_scale` and `flip`, too, and resamples bicubically.
    """

    flip: Share = 0.5
    rotation: Annotated[float, Field(ge=0, le=180)] = 7.0
    crop_scale: Annotated[float, Field(gt=0, le=1)] = 0.85
    randaugment: RandAugment | None = None
    erasing: Share = 0.0
    mixup: Annotated[float, Field(ge=0)] = 0.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.0
    layer_decay: Annotated[float, Field(gt=0, le=1)] | None = None
    lr_scaling: Literal["none", "linear-256"] = "none"
    head_std: Annotated[float, Field(gt=0)] = 0.01
    train_labels: TrainLabels = "clean"

    @property
    def scaled_lr(self) -> float:
        """The highest rate of the last layer."""
        return self.lr * self.batch / 256 if self.lr_scaling == "linear-256" else self.lr

    @property
    def by_timm(self) -> bool:
        """Whether timm augments the images."""
        return self.randaugment is not None or self.erasing > 0

    @property
    def repeats_images(self) -> bool:
        """Whether a frozen backbone makes of an image the same each time, but for the affine map.

        That is flip, rotation and crop (`omnibench.training.augment`).
        """
        return not (self.by_timm or self.mixup or self.drop_path)

    @model_validator(mode="after")
    def _check_training(self) -> Self:
        if self.by_timm and self.rotation:
            raise ValueError(
                "rotation is of no use with randaugment or erasing, under which timm augments; set "
                "`rotation: 0` (RandAugment rotates by itself)"
            )
        if self.min_lr > self.scaled_lr:
            raise ValueError(
                f"min_lr {self.min_lr:g} lies above the highest rate, {self.scaled_lr:g}; lower it"
            )
        self.refuse_soft_targets("mixup", self.mixup)
        return self


# The study's protocol: where the paper is silent its public code is followed (docs/protocol.md).
OMNIRAD = TrainedRecipe(
    input_size=224,
    normalization="imagenet",
    precision="fp16",
    epochs=40,
    batch=128,
    lr=1e-5,
    weight_decay=0.01,
    betas=(0.9, 0.999),
    warmup_epochs=10,
    warmup_start=0.01,
    schedule_step="epoch",
    clip_norm=1.0,
    warmup_clip_norm=None,
    flip=0.5,
    rotation=7.0,
    crop_scale=0.85,
    dropout=0.4,
    class_weights="sqrt-inverse",
)
# As released: the gradient norm is clipped at 0.5 while the rate warms up.
OMNIRAD_RELEASED = OMNIRAD.model_copy(update={"warmup_clip_norm": 0.5})

# MedMNIST v2's training of its ResNets at 28 px (Yang et al. 2023, section 4 and the public code):
# Adam without decay is AdamW without it.
MEDMNIST = TrainedRecipe(
    input_size=28,
    precision="fp32",
    init="per-repetition",
    epochs=100,
    batch=128,
    lr=1e-3,
    weight_decay=0.0,
    betas=(0.9, 0.999),
    warmup_epochs=0,
    decay="step",
    schedule_step="epoch",
    clip_norm=None,
    flip=0.0,
    rotation=0.0,
    crop_scale=1.0,
    dropout=0.0,
    class_weights="none",
    select="auc",
)

# RETFound's fine-tuning (arXiv:2509.03421 and its public code), of its `lp` too, which is `head`.
RETFOUND = TrainedRecipe(
    input_size=224,
    normalization="imagenet",
    epochs=50,
    batch=24,
    lr=5e-3,
    lr_scaling="linear-256",
    weight_decay=0.05,
    betas=(0.9, 0.999),
    warmup_epochs=10,
    warmup_start=0.0,
    min_lr=1e-6,
    layer_decay=0.65,
    drop_path=0.2,
    clip_norm=None,
    flip=0.5,
    rotation=0.0,
    crop_scale=0.08,
    randaugment="rand-m9-mstd0.5-inc1",
    erasing=0.25,
    head_std=2e-5,
    select="retfound-score",
)

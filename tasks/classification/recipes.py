"""The recipes of classification: every field and its value by name."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from omnibench.data.noisy_labels import TrainLabels
from omnibench.recipe import Recipe, Selection, StepBudget
from omnibench.training.plan import Share, TrainingRecipe

STRENGTHS = tuple(float(f"{10 ** (12 * step / 19 - 6):.4g}") for step in range(20))
GAMMA = 2.0  # of the focal loss, as Lin et al. 2017 set it
Several = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]


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
        select: the metric of the validation cases that the best epoch is chosen by;
            `retfound-score` is the mean of macro-F1, macro AUC and Cohen's kappa.
    """

    class_weights: Literal["none", "sqrt-inverse", "prevalence"] = "none"
    loss: Literal["cross-entropy", "focal"] = "cross-entropy"
    focal_gamma: Annotated[float, Field(ge=0)] = GAMMA
    select: Literal["macro-f1", "auc", "retfound-score"] = "macro-f1"

    @model_validator(mode="after")
    def _check_loss(self) -> Self:
        if self.loss != "focal" and self.focal_gamma != GAMMA:
            raise ValueError("focal_gamma is of the focal loss; add `loss: focal`")
        return self


class TrainedRecipe(LossRecipe):
    """Fields of `head`, `full`, `lora` and `molre`.

    Attributes:
        flip: probability of a horizontal flip.
        rotation: largest angle to either side, degrees.
        crop_scale: smallest share of the image's area that a random crop keeps.
        dropout: before the head.
        train_labels: as of the linear probe.
    """

    flip: Share = 0.5
    rotation: Annotated[float, Field(ge=0, le=180)] = 7.0
    crop_scale: Annotated[float, Field(gt=0, le=1)] = 0.85
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    train_labels: TrainLabels = "clean"


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

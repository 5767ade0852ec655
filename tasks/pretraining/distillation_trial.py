"""A repetition of self-distillation: its networks, its training, and the teacher that it leaves."""

from collections.abc import Callable, Mapping
from typing import Any

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.pool import open_pool
from omnibench.data.subset import drawn
from omnibench.encoders.timm_encoder import choose_attention
from omnibench.errors import RequestError
from omnibench.training.loop import Fitted
from omnibench.training.processes import rank_and_size
from omnibench.training.trial import Trial

from .crops import Cropper
from .distillation import Distillation
from .distillation_trainer import DistillationTrainer
from .groups import Course, parameter_groups
from .knn import OnlineKnn
from .metrics import FIGURES, KNN
from .recipes import DistillationRecipe
from .refusals import crop_refusal
from .start import start_of, statistics
from .trial import PretrainingTrial, Start
from .watch import PATIENCE


def prepare(unit: Unit, context: Context) -> Callable[[int], Trial]:
    """Open the pool of images, and return what makes a repetition's trial."""
    recipe = DistillationRecipe.model_validate(unit.recipe)
    check_parts(recipe)
    count = unit.dataset.splits.get("train", 0)
    pool = open_pool(unit.dataset, context.data, int(recipe.unreadable * count))
    rows = drawn(len(pool), recipe.limit)
    return lambda repetition: DistillationTrial(
        unit, repetition, context, recipe, pool, rows, _start(unit, context, recipe)
    )


class DistillationTrial(PretrainingTrial):
    """Self-distillation of a vision transformer."""

    figures = (*FIGURES, *KNN)
    panels = (
        ("loss", ("loss", "dino", "ibot", "koleo")),
        ("teacher (nats)", ("teacher_entropy", "kl_uniform")),
        ("effective rank", ("effective_rank",)),
        ("spread of class tokens", ("feature_std",)),
        ("online kNN", ("knn_accuracy", "knn_auc")),
        ("gradient norm", ("gradient_norm",)),
    )
    recipe: DistillationRecipe
    model: Distillation

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        vit, recipe = self.start.vit, self.recipe
        choose_attention(vit, self.device)
        self.model = Distillation(vit, recipe).to(self.device)
        self.course = Course(recipe, self.count // recipe.batch)
        preprocess, knn = self.preprocess, None
        seed = self.unit.seed("augmentation", self.repetition)
        cropper = Cropper(recipe, seed, vit.patch_embed.patch_size[0], len(vit.blocks), preprocess)
        device, reference = self.context.device, self.unit.options["knn"]
        if reference is not None:
            data = self.context.data
            knn = OnlineKnn(reference, data, preprocess, recipe.precision, device)
        self.trainer = DistillationTrainer(
            self.model,
            recipe,
            self.held(recipe.load_size),
            self.pool.unreadable,
            cropper,
            self.course,
            self.watch,
            knn,
            device,
        )

    @property
    def left(self) -> Any:
        return self.model.teacher.backbone.vit

    def set_mode(self) -> None:
        self.model.set_training()

    def job(self) -> Mapping[str, Any]:
        return {
            **super().job(),
            "groups": parameter_groups(self.model.student, self.recipe),
            "course": self.course.set_rates,
            "clipped": [list(part.parameters()) for part in self.model.student.children()],
            "fixed_parts": True,
            "keep_frozen": True,
        }

    def cost(self, fitted: Fitted) -> Mapping[str, Any]:
        trainable = sum(p.numel() for p in self.model.student.parameters())
        return {"trainable_parameters": trainable, **super().cost(fitted)}

    def notes(self) -> Mapping[str, Any]:
        signs = self.trainer.watch.signs
        lasting = [name for name, lines in signs.items() if lines >= PATIENCE]
        return {**super().notes(), "collapse": lasting}


def _start(unit: Unit, context: Context, recipe: DistillationRecipe) -> Start:
    """Return what a repetition starts from.

    Raises:
        RequestError: as `start_of`, or a crop is no multiple of its patch size.
    """
    card = unit.backbone
    vit, arguments = start_of(
        card, recipe.input_size, recipe.layer_scale, context.data, context.results
    )
    patch = vit.patch_embed.patch_size[0]
    if recipe.local_crops and (refusal := crop_refusal(recipe.local_size, patch, card.id)):
        raise RequestError(refusal)
    return Start(vit, arguments, *statistics(card, recipe, vit))


def check_parts(recipe: DistillationRecipe) -> None:
    """Refuse a batch that does not go up in whole micro-batches on every process.

    Raises:
        RequestError: naming the figures; KoLeo's neighbours would depend on the processes.
    """
    processes, part = rank_and_size()[1], recipe.micro_batch or recipe.batch
    if recipe.batch % (processes * part):
        raise RequestError(
            f"recipe.batch {recipe.batch} is not a multiple of {processes} processes x micro_batch "
            f"{part}; lower micro_batch"
        )

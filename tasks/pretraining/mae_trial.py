"""A repetition of a masked autoencoder of images, and the encoder that it leaves."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from omnibench.cards import DatasetCard
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import sources
from omnibench.data.pool import ArrayMember, open_pool
from omnibench.data.subset import drawn
from omnibench.encoders.positions import sine_cosine
from omnibench.encoders.timm_encoder import choose_attention
from omnibench.errors import RequestError
from omnibench.training.trial import Trial

from .held import HeldImages
from .knn import OnlineKnn
from .mae_options import MaeOptions
from .mae_recipes import MaeRecipe, MaskedRecipe
from .mae_trainer import MaeCourse, MaeTrainer
from .mae_validation import MOST, Validation
from .masked_autoencoder import MaskedAutoencoder
from .metrics import KNN, MASKED
from .refusals import mask_refusal
from .start import start_of, statistics
from .trial import PretrainingTrial, Start
from .views import View


class MaskedTrial(PretrainingTrial):
    """A masked autoencoder; a class of it says what its images are."""

    figures = (*MASKED, *KNN)
    panels = (
        ("loss", ("loss", "val_loss")),
        ("PSNR of hidden pixels (dB)", ("val_psnr",)),
        ("effective rank", ("effective_rank",)),
        ("spread of features", ("feature_std",)),
        ("online kNN", ("knn_accuracy", "knn_auc")),
        ("gradient norm", ("gradient_norm",)),
    )
    batch = 64  # images of a forward pass in evaluation
    recipe: MaskedRecipe
    model: MaskedAutoencoder

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        unit, vit = self.unit, self.start.vit
        choose_attention(vit, self.device)
        self.model = MaskedAutoencoder(vit, self.grid, self.options).to(self.device)
        if refusal := mask_refusal(self.options.mask, self.model.patches):
            raise RequestError(refusal)
        self.course = MaeCourse(self.recipe, self.count // self.recipe.batch)
        self.trainer = MaeTrainer(
            self.model,
            self.recipe,
            self.images(),
            self.pool.unreadable,
            self.views,
            self.normalise,
            unit.seed("augmentation", self.repetition),
            self.course,
            self.watch,
            self.knn(),
            self._validation(),
        )

    @property
    def options(self) -> MaeOptions:
        return MaeOptions.model_validate(self.unit.options)

    @property
    def grid(self) -> tuple[int, ...]:
        """Return the number of patches on each axis."""
        raise NotImplementedError

    def images(self) -> HeldImages:
        """Return the images that take part, as they are held."""
        raise NotImplementedError

    def views(
        self, images: NDArray[np.uint8], generator: torch.Generator, places: Tensor, whole: int
    ) -> Tensor:
        """Make views of the images at these places of a batch, as `mae_trainer.Views` says."""
        raise NotImplementedError

    def normalise(self, shown: Tensor) -> Tensor:
        """Turn float images [b, 1, *sides] of 0..255 into what the encoder sees."""
        raise NotImplementedError

    def knn(self) -> OnlineKnn | None:
        """Return the online evaluation that was asked for."""
        raise NotImplementedError

    def validated(self) -> NDArray[np.uint8]:
        """Return images that are not trained on, uint8 [n, *sides]."""
        raise NotImplementedError

    def _validation(self) -> Validation | None:
        images = self.validated()
        if not len(images):
            return None
        return Validation(
            images,
            self.model.patches,
            self.normalise,
            self.start.std,
            self.recipe.precision,
            self.context.device,
            self.batch,
        )

    @property
    def left(self) -> Any:
        return self.start.vit

    def job(self) -> Mapping[str, Any]:
        groups = parameter_groups(self.model, self.recipe.weight_decay)
        return {**super().job(), "groups": groups, "course": self.course.set_rates}

    def notes(self) -> Mapping[str, Any]:
        masked = {"patches": self.model.patches, "visible_patches": self.model.visible}
        return {**super().notes(), **masked}


class MaeTrial(MaskedTrial):
    """A masked autoencoder of images."""

    recipe: MaeRecipe

    @property
    def grid(self) -> tuple[int, ...]:
        return tuple(self.start.vit.patch_embed.grid_size)

    def images(self) -> HeldImages:
        return self.held(self.recipe.load_size)

    def views(
        self, images: NDArray[np.uint8], generator: torch.Generator, places: Tensor, whole: int
    ) -> Tensor:
        recipe, side = self.recipe, self.recipe.load_size
        view = View(recipe.input_size, recipe.scale, blur=0, jitter=0, flip=recipe.flip)
        draws = view.draw(whole, side, side, generator).rows(places)
        return view.apply(torch.from_numpy(images).to(self.device), draws)

    def normalise(self, shown: Tensor) -> Tensor:
        return self.preprocess.normalise(shown)

    def knn(self) -> OnlineKnn | None:
        reference, context = self.unit.options["knn"], self.context
        if reference is None:
            return None
        precision = self.recipe.precision
        return OnlineKnn(reference, context.data, self.preprocess, precision, context.device)

    def validated(self) -> NDArray[np.uint8]:
        return validation_images(self.unit.dataset, self.context.data, self.recipe.input_size)


def prepare(unit: Unit, context: Context) -> Callable[[int], Trial]:
    """Open the pool of images, and return what makes a repetition's trial."""
    recipe = MaeRecipe.model_validate(unit.recipe)
    count = unit.dataset.splits.get("train", 0)
    pool = open_pool(unit.dataset, context.data, int(recipe.unreadable * count))
    rows = drawn(len(pool), recipe.limit)
    return lambda repetition: MaeTrial(
        unit, repetition, context, recipe, pool, rows, _start(unit, context, recipe)
    )


def _start(unit: Unit, context: Context, recipe: MaeRecipe) -> Start:
    """Return what a repetition starts from; its position embeddings stay as they are.

    Those of drawn weights become fixed sines and cosines, as MAE's are.
    """
    card = unit.backbone
    vit, arguments = start_of(card, recipe.input_size, None, context.data, context.results)
    if card.has_random_weights:
        places = sine_cosine(tuple(vit.patch_embed.grid_size), int(vit.embed_dim))
        with torch.no_grad():
            vit.pos_embed.zero_()[:, -len(places) :] = places
    vit.pos_embed.requires_grad_(False)
    return Start(vit, arguments, *statistics(card, recipe, vit))


def validation_images(card: DatasetCard, data: Path, size: int) -> NDArray[np.uint8]:
    """Return images of the validation splits of a pool's datasets, uint8 [n, size, size].

    A dataset whose images are read file by file has none.
    """
    members = card.members or (card,)
    parts = [np.empty((0, size, size), np.uint8)]
    for member in members:
        reader = sources.reader_of(member)
        if reader is not None and reader.training_files is not None:
            continue
        split = sources.load(member, data).splits.get("val")
        if split is not None:
            rows = drawn(len(split), MOST // len(members))
            parts.append(ArrayMember(split.images).read(rows, size))
    return np.concatenate(parts)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return AdamW's groups as MAE makes them: biases and norms do not decay."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]

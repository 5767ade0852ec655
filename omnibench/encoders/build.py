"""From a card to a loaded encoder, whatever its source."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from omnibench.architecture import Architecture, contradiction
from omnibench.cards import BackboneCard, Channels
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.encoders import Encoder, TrainableEncoder
from omnibench.encoders.abilities import require
from omnibench.encoders.coverage import Coverage, tensors_digest
from omnibench.encoders.module_encoder import ModuleEncoder
from omnibench.encoders.origins import ORIGINS, Origin
from omnibench.encoders.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from omnibench.encoders.timm_encoder import TimmEncoder
from omnibench.encoders.volume_vit import VolumeViT
from omnibench.encoders.volume_vit_encoder import VolumeViTEncoder
from omnibench.errors import RequestError, WeightsError
from omnibench.recipe import CARD, pooled_as

log = logging.getLogger("omnibench")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Loaded:
    """A ready encoder and what there is to record of it.

    Attributes:
        coverage: how weights file and model fit; None where no file was loaded.
        digest: SHA-256 of the tensors that were really loaded.
        mean, std: the normalisation in force.
        parameters: number of the backbone's parameters.
        arguments: what timm is told to build its module, beside the name of its architecture.
    """

    encoder: Encoder
    coverage: Coverage | None
    digest: str
    mean: Channels
    std: Channels
    parameters: int
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """For the record's notes."""
        return {
            "coverage": self.coverage.as_dict() if self.coverage else None,
            "mean": list(self.mean),
            "std": list(self.std),
            "parameters": self.parameters,
        }


def load_encoder(
    card: BackboneCard,
    recipe: dict[str, Any],
    device: str,
    data: Path,
    results: Path,
) -> Loaded:
    """Build a backbone, load its weights, check them, and put it on the device in eval mode.

    Args:
        recipe: resolved; its input_size, normalization, precision and pool are used.

    Raises:
        MissingWeightsError: weights that are neither on disk nor to be had.
        WeightsError: weights that do not fit, or are not the pinned ones.
        RequestError: an input size the patch size does not divide, an unknown architecture.
    """
    size = int(recipe["input_size"])
    card = pooled_as(card, recipe)
    model = ORIGINS[card.source_kind](card, size, data, results)
    mean, std = card.mean or model.mean or IMAGENET_MEAN, card.std or model.std or IMAGENET_STD
    if recipe["normalization"] == "imagenet":
        mean, std = IMAGENET_MEAN, IMAGENET_STD
    dtype = DTYPES[recipe["precision"]]
    preprocess = Preprocess(size, mean, std, torch.device(device), dtype)
    module = model.module
    if isinstance(module, Encoder) and recipe.get("pool", CARD) != CARD:
        raise RequestError(
            f"{card.id}: its Encoder pools for itself; leave `pool` out of the recipe, or this "
            "backbone out of the block"
        )
    digest, parameters = "", 0
    if isinstance(module, nn.Module):
        digest = tensors_digest(module)
        parameters = sum(parameter.numel() for parameter in module.parameters())
        # An Encoder of its own converts, resizes and normalises for itself.
        own = isinstance(module, Encoder)
        module.to(device=device, dtype=None if own else dtype).eval().requires_grad_(False)
    encoder = _wrap(model, preprocess, card)
    log.debug(
        "%s: %s; normalised with mean %s, std %s (%s); loaded %s",
        card.id,
        model.coverage or "no weights file",
        mean,
        std,
        recipe["normalization"],
        digest[:15],
    )
    return Loaded(encoder, model.coverage, digest, mean, std, parameters, model.arguments)


@dataclass(frozen=True)
class LoadedTrainable(Loaded):
    """What is loaded for a training."""

    encoder: TrainableEncoder


def load_trainable(unit: Unit, context: Context, precision: str) -> LoadedTrainable:
    """Load a unit's backbone for a training in which it takes part.

    Raises:
        RequestError: its Encoder cannot be trained, or lacks what the unit takes of it; and as
            `load_encoder`.
    """
    recipe = {**unit.recipe, "precision": precision}
    loaded = load_encoder(unit.backbone, recipe, context.device, context.data, context.results)
    if not isinstance(loaded.encoder, TrainableEncoder):
        raise RequestError(
            f"{unit.backbone.id}: its Encoder has no module, preprocess and pooled(pixels), which "
            f"`{unit.adaptation}` needs; give it those, or judge it by its frozen features"
        )
    adaptation = tasks.get(unit.task).adaptations[unit.adaptation].under(unit.options)
    require(adaptation.takes, loaded.encoder, unit.backbone, int(recipe["input_size"]))
    return LoadedTrainable(**vars(loaded))


def _wrap(origin: Origin, preprocess: Preprocess, card: BackboneCard) -> Encoder:
    """Choose the encoder that speaks the module's language, and hold it to its card."""
    module = origin.module
    if isinstance(module, Encoder):
        return module
    if isinstance(module, VolumeViT):
        return VolumeViTEncoder(module, preprocess, card)
    if hasattr(module, "forward_intermediates") and hasattr(module, "pretrained_cfg"):
        encoder = TimmEncoder(module, preprocess, card.pool, card.norm_after_pool)
        if wrong := contradiction(card, encoder.architecture):
            raise WeightsError(wrong)
        return encoder
    if card.norm_after_pool:
        raise RequestError(
            f"{card.id}: norm_after_pool is for a vision transformer of timm; leave it off its card"
        )
    if origin.from_transformers:
        from omnibench.encoders.transformers_encoder import TransformersEncoder

        wrapped = TransformersEncoder(module, preprocess, card, card.pool or "cls")
        if wrong := contradiction(card, Architecture("vit", width=wrapped.width)):
            raise WeightsError(wrong)
        return wrapped
    if isinstance(module, nn.Module):
        return ModuleEncoder(module, preprocess, card)
    raise WeightsError(
        f"{card.id}: {card.source} built a {type(module).__name__}, neither an Encoder "
        "(embed, tokens, maps) nor an nn.Module"
    )

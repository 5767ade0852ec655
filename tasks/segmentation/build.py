"""The model of a unit's adaptation, its random parts drawn by torch's global generator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.encoders import MapEncoder
from omnibench.encoders.build import load_trainable
from omnibench.encoders.levels import levels_of
from omnibench.encoders.maps import UnitMaps, unit_maps
from omnibench.encoders.preprocess import Preprocess
from omnibench.errors import RequestError

from .cases import Cases
from .heads import LinearHead, UNetHead, check_input_size
from .segmenter import Segmenter, kept, live

BLOCK = 64


@dataclass(frozen=True)
class Built:
    """A model and what there is to record of its backbone."""

    model: Segmenter
    facts: Mapping[str, Any]
    cost: Mapping[str, Any]
    digest: str


def builder(unit: Unit, cases: Cases, context: Context) -> Callable[[], Built]:
    """Return what builds a repetition's model; a frozen backbone's maps are computed here, once."""
    if unit.adaptation != "linear":
        check_input_size(unit.recipe["input_size"])
    if unit.adaptation == "full":
        return lambda: _full(unit, cases, context)
    maps = unit_maps(unit, cases.dataset.splits, context)
    if unit.adaptation == "linear":
        moments = _moments(maps, cases.count("train"))
        return lambda: _frozen(LinearHead(*moments, cases.classes), maps, unit, cases, context)
    return lambda: _frozen(
        UNetHead(maps.shapes, maps.tokens, cases.classes, unit.options["prior"]),
        maps,
        unit,
        cases,
        context,
    )


def _frozen(
    head: torch.nn.Module, maps: UnitMaps, unit: Unit, cases: Cases, context: Context
) -> Built:
    facts = maps.made.facts
    prepare = Preprocess(
        unit.recipe["input_size"],
        tuple(facts["mean"]),
        tuple(facts["std"]),
        torch.device(context.device),
        torch.float32,
    )
    model = Segmenter(cases.dataset, head, prepare, kept(maps, context.device))
    return Built(model.to(context.device), facts, maps.made.cost(), facts["digest"])


def _full(unit: Unit, cases: Cases, context: Context) -> Built:
    loaded = load_trainable(unit, context, "fp32")
    encoder = loaded.encoder
    if not isinstance(encoder, MapEncoder):
        raise RequestError(
            f"{unit.backbone.id}: its Encoder has no intermediates(pixels, layers), which `full` "
            "needs; give it that, or judge it by decoder and linear"
        )
    encoder.module.requires_grad_(True)
    levels = levels_of(encoder, unit.backbone)
    size = unit.recipe["input_size"]
    with torch.no_grad():
        maps = encoder.maps(torch.zeros(1, size, size, dtype=torch.uint8), levels.layers)
    shapes = [(level.shape[1], level.shape[2], level.shape[3]) for level in maps]
    head = UNetHead(shapes, levels.tokens, cases.classes, "trained")
    model = Segmenter(
        cases.dataset, head, encoder.preprocess, live(encoder, levels.layers), encoder.module
    )
    cost = {"total_parameters": loaded.parameters}
    return Built(model.to(context.device), loaded.facts(), cost, loaded.digest)


def _moments(maps: UnitMaps, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation [D] of the last map's channels over the training images."""
    width = maps.shapes[-1][0]
    total, squares, positions = torch.zeros(width).double(), torch.zeros(width).double(), 0
    for start in range(0, count, BLOCK):
        last = maps.read("train", np.arange(start, min(start + BLOCK, count)))[-1]
        values = last.permute(0, 2, 3, 1).reshape(-1, width).double()
        total += values.sum(dim=0)
        squares += values.square().sum(dim=0)
        positions += len(values)
    mean = total / positions
    std = (squares / positions - mean.square()).clamp(min=0).sqrt()
    std[std == 0] = 1.0  # a constant channel keeps its scale
    return mean.float(), std.float()

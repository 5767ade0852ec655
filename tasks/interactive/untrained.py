"""A unit of methods that are clicked at and not trained: every object outlined, click by click."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.sources import load_once
from omnibench.scoring import score
from omnibench.task import Outcome

from .cases import Objects
from .clicking import Clicking, MethodOf, outlined
from .options import ClickOptions
from .recipes import ClickRecipe


def unchecked(arrays: Mapping[str, Any]) -> None:
    """Look at nothing."""


@dataclass(frozen=True)
class Methods:
    """What is clicked at.

    Attributes:
        of: the method of an object.
        digest: of the tensors that were really loaded.
        facts: of the backbone, for the record.
        cost: of what was made before the first click.
        check: looks at the arrays of all objects, and raises where they cannot be.
    """

    of: MethodOf
    digest: str
    facts: Mapping[str, Any]
    cost: Mapping[str, Any]
    check: Callable[[Mapping[str, Any]], None] = unchecked


MethodsOf = Callable[[Unit, Objects, ClickOptions, Context], Methods]


def run(unit: Unit, context: Context, methods_of: MethodsOf) -> Iterator[Outcome]:
    """Yield one outcome a repetition."""
    recipe = ClickRecipe.model_validate(unit.recipe)
    options = ClickOptions.model_validate(unit.options)
    dataset = load_once(unit.dataset, context.data, unit.sources["dataset"], recipe.input_size)
    objects = Objects.from_dataset(dataset, recipe)
    began = time.perf_counter()
    methods = methods_of(unit, objects, options, context)
    phases = {"features": time.perf_counter() - began}
    for repetition in unit.repetitions:
        clicking = Clicking(objects, options, methods.of, unit.seed("clicks", repetition))
        began = time.perf_counter()
        arrays, seconds = outlined(clicking, context)
        methods.check(arrays)
        phases["clicks"] = time.perf_counter() - began
        yield Outcome(
            repetition=repetition,
            metrics=score(unit.task, arrays),
            predictions=arrays,
            cost={
                "phases": dict(phases),
                "trainable_parameters": 0,
                "seconds_per_click": seconds,
                **methods.cost,
            },
            digests={**dataset.digests, "backbone": methods.digest},
            notes={
                "backbone": dict(methods.facts),
                "mask_classes": list(dataset.card.mask_classes),
                "objects": len(objects),
            },
            files={"clicks.png": clicking.sheet(arrays)},
        )

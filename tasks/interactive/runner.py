"""A unit of methods that are clicked at and not trained: every object outlined, click by click."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.sources import load_once
from omnibench.encoders.maps import UnitMaps, unit_maps
from omnibench.scoring import score
from omnibench.task import Outcome

from .cases import Objects
from .knn import Features, NearestClicks
from .options import ClickOptions, Simulated
from .recipes import ClickRecipe
from .sequences import Clicked, Method, clicked, jittered
from .sheet import SHOWN_AFTER, click_sheet
from .simulators import SIMULATORS

STAGE = "objects"
MethodOf = Callable[[int], Method]  # of an object's number, before its first click


@dataclass(frozen=True)
class Clicking:
    """Clicks at objects as the options of a unit say.

    Attributes:
        seed: of the jitter of one repetition; an object's own is derived from it.
    """

    objects: Objects
    options: ClickOptions
    method_of: MethodOf
    seed: int

    def sequence(self, number: int, simulate: Simulated | None = None) -> Clicked:
        """Return what clicks make of an object, under the rule of the options or another one."""
        target = self.objects.target(number)
        jitter = jittered(self.options.jitter, target.truth.shape, (self.seed, number))
        rule = SIMULATORS[simulate or self.options.simulate]
        method = self.method_of(number)
        return clicked(target, method, rule, self.options.clicks, jitter, SHOWN_AFTER)


def run(unit: Unit, context: Context) -> Iterator[Outcome]:
    """Yield one outcome a repetition."""
    recipe = ClickRecipe.model_validate(unit.recipe)
    options = ClickOptions.model_validate(unit.options)
    dataset = load_once(unit.dataset, context.data, unit.sources["dataset"], recipe.input_size)
    objects = Objects.from_dataset(dataset, recipe)
    began = time.perf_counter()
    maps = unit_maps(unit, {"test": objects.cases.dataset.splits["test"]}, context)
    phases = {"features": time.perf_counter() - began}
    method_of = nearest_clicks(objects, maps, options)
    for repetition in unit.repetitions:
        clicking = Clicking(objects, options, method_of, unit.seed("clicks", repetition))
        began = time.perf_counter()
        arrays, seconds = outlined(clicking, context)
        phases["clicks"] = time.perf_counter() - began
        yield Outcome(
            repetition=repetition,
            metrics=score(unit.task, arrays),
            predictions=arrays,
            cost={
                "phases": dict(phases),
                "trainable_parameters": 0,
                "seconds_per_click": seconds,
                **maps.made.cost(),
            },
            digests={**dataset.digests, "backbone": maps.made.facts["digest"]},
            notes={
                "backbone": dict(maps.made.facts),
                "mask_classes": list(dataset.card.mask_classes),
                "objects": len(objects),
            },
            files={"clicks.png": click_sheet(objects, arrays["test_iou"], clicking.sequence)},
        )


def nearest_clicks(objects: Objects, maps: UnitMaps, options: ClickOptions) -> MethodOf:
    """Return what makes `clicks-knn` of an object; the features of the last image are held."""
    held: dict[int, Features] = {}

    def method(number: int) -> NearestClicks:
        row = int(objects.rows[number])
        target = objects.target(number)
        if row not in held:
            held.clear()
            levels = [m[0].float().numpy() for m in maps.read("test", np.array([row]))]
            height, width = target.truth.shape
            held[row] = Features.from_maps(levels, (height, width))
        return NearestClicks(held[row], target.box if options.start == "box" else None)

    return method


def outlined(clicking: Clicking, context: Context) -> tuple[dict[str, NDArray[Any]], float]:
    """Outline every object, under each rule that is asked for.

    Returns:
        The arrays of all objects, those of a further rule with "@RULE" behind their names; and the
        mean seconds that the method took for a click.
    """
    count = len(clicking.objects)
    rules: dict[str, Simulated | None] = {"": None}
    rules |= {f"@{rule}": rule for rule in clicking.options.further}
    sequences: dict[str, list[Clicked]] = {suffix: [] for suffix in rules}
    for number in range(count):
        for suffix, rule in rules.items():
            sequences[suffix].append(clicking.sequence(number, rule))
        context.progress(STAGE, number + 1, count)
    arrays = clicking.objects.arrays()
    arrays["test_start"] = np.array([sequence.start for sequence in sequences[""]])
    for suffix, own in sequences.items():
        overlaps = np.stack([sequence.overlaps for sequence in own])
        arrays[f"test_iou{suffix}"], arrays[f"test_dice{suffix}"] = np.moveaxis(overlaps, 2, 0)
        arrays[f"test_clicks{suffix}"] = np.stack([sequence.clicks for sequence in own])
    seconds = [s for own in sequences.values() for sequence in own for s in sequence.seconds]
    return arrays, float(np.mean(seconds)) if seconds else 0.0

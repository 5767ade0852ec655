"""Clicks at every object of a split, and the arrays that are stored of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.context import Context

from .cases import Objects
from .metrics import AFTER
from .options import ClickOptions, Simulated
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

    def sequence(
        self, number: int, keep: Sequence[int] = (), simulate: Simulated | None = None
    ) -> Clicked:
        """Return what clicks make of an object, under the rule of the options or another one."""
        target = self.objects.target(number)
        jitter = jittered(self.options.jitter, target.truth.shape, (self.seed, number))
        rule = SIMULATORS[simulate or self.options.simulate]
        method = self.method_of(number)
        return clicked(target, method, rule, self.options.clicks, jitter, keep)

    def sheet(self, arrays: Mapping[str, NDArray[Any]]) -> bytes:
        """Return the picture of objects that are clicked at once more, those of `outlined`."""
        return click_sheet(
            self.objects,
            arrays["test_iou"],
            lambda number: self.sequence(number, SHOWN_AFTER),
        )


def outlined(clicking: Clicking, context: Context) -> tuple[dict[str, NDArray[Any]], float]:
    """Outline every object, under each rule that is asked for.

    Returns:
        The arrays of all objects, those of a further rule with "@RULE" behind their names; and the
        mean seconds that the method took for a click.
    """
    count = len(clicking.objects)
    made = [k for k in AFTER if k <= clicking.options.clicks]
    rules: dict[str, Simulated | None] = {"": None}
    rules |= {f"@{rule}": rule for rule in clicking.options.further}
    sequences: dict[str, list[Clicked]] = {suffix: [] for suffix in rules}
    boundaries: dict[str, list[list[float]]] = {suffix: [] for suffix in rules}
    for number in range(count):
        target = clicking.objects.target(number)
        for suffix, rule in rules.items():
            sequence = clicking.sequence(number, made, rule)
            boundaries[suffix].append([target.surface_dice(mask) for mask in sequence.masks])
            sequences[suffix].append(replace(sequence, masks=()))
        context.progress(STAGE, number + 1, count)
    arrays = clicking.objects.arrays()
    arrays["test_start"] = np.array([sequence.start for sequence in sequences[""]])
    for suffix, own in sequences.items():
        overlaps = np.stack([sequence.overlaps for sequence in own])
        arrays[f"test_iou{suffix}"], arrays[f"test_dice{suffix}"] = np.moveaxis(overlaps, 2, 0)
        arrays[f"test_nsd{suffix}"] = np.array(boundaries[suffix])
        arrays[f"test_clicks{suffix}"] = np.stack([sequence.clicks for sequence in own])
    seconds = [s for own in sequences.values() for sequence in own for s in sequence.seconds]
    return arrays, float(np.mean(seconds)) if seconds else 0.0

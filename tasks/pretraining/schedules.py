"""Courses of rates, weight decay, momentum and temperature by step, as DINOv2's CosineScheduler."""

import math


def cosine(
    step: int,
    steps: int,
    first: float,
    last: float,
    warmup: int = 0,
    start: float = 0.0,
    frozen: int = 0,
) -> float:
    """The value at `step`, counted from 0.

    Zero for `frozen` steps; a line from `start` to `first` over `warmup` steps, both ends met (of
    a single step it is `start`); half a cosine from `first` towards `last` over the rest, which is
    met at `steps` and stays. A run shorter than `frozen` + `warmup` skips what no longer fits.

    DINOv2 freezes the last layer by zeros over the start of a course like the others', not by
    `frozen`, which delays the course.
    """
    if step >= steps:
        return last
    if step < frozen:
        return 0.0
    done = step - frozen
    if done < warmup:
        return start + (first - start) * done / max(1, warmup - 1)
    done, rest = done - warmup, steps - frozen - warmup
    return last + 0.5 * (first - last) * (1 + math.cos(math.pi * done / rest))


def linear(step: int, warmup: int, start: float, last: float) -> float:
    """A line from `start` at step 0 to `last` at step `warmup` - 1, which stays.

    So DINOv2 warms its teacher's temperature.
    """
    return cosine(step, warmup, last, last, warmup, start)

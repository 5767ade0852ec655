"""Simulate studies whose truth is known, many times: what `benchmarks/deciding.py` counts.

A study is a function of a random state that returns numbers by name. Each study has a seed of its
own, so that a result depends neither on how many processes share the work nor on their order.
"""

import math
import zlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from omnibench.stats.result import Floats

Study = Callable[[np.random.Generator], Mapping[str, float]]
Outcomes = Mapping[str, Floats]

_CHUNK = 50  # studies that one process takes at a time


@dataclass(frozen=True)
class Rate:
    """A share of studies with its Monte-Carlo error; NaN of none.

    Attributes:
        error: sqrt(share (1 - share) / studies) where each study says yes or no; else their
            standard deviation / sqrt(studies).
    """

    share: float
    error: float

    @classmethod
    def from_outcomes(cls, outcomes: Floats) -> "Rate":
        """Count outcomes, [S] in 0..1; a NaN is a study that does not count."""
        counted = outcomes[~np.isnan(outcomes)]
        if not len(counted):
            return cls(math.nan, math.nan)
        return cls(float(counted.mean()), float(counted.std()) / math.sqrt(len(counted)))

    def __str__(self) -> str:
        if math.isnan(self.share):
            return "-"
        return f"{self.share:.3f} ± {self.error:.3f}".replace("0.", ".")


def below(p: Floats, level: float = 0.05) -> Rate:
    """Return the share of p-values below a level."""
    return Rate.from_outcomes(np.where(np.isnan(p), np.nan, p < level))


def simulate(study: Study, studies: int, seed: int, pool: Executor) -> Callable[[], Outcomes]:
    """Begin S studies, and return what waits for their outcomes: name -> [S].

    Args:
        study: its repr says what it is, and seeds it.
    """
    parts = [
        pool.submit(_run, study, seed, range(first, min(first + _CHUNK, studies)))
        for first in range(0, studies, _CHUNK)
    ]

    def outcomes() -> Outcomes:
        rows = [row for part in parts for row in part.result()]
        return {name: np.array([row[name] for row in rows], np.float64) for name in rows[0]}

    return outcomes


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table, its numbers to the right."""
    titles = list(header)
    lines = [titles, ["---:"] * len(titles), *([str(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _run(study: Study, seed: int, indices: range) -> list[Mapping[str, float]]:
    name = zlib.crc32(repr(study).encode())
    return [study(np.random.default_rng([seed, name, index])) for index in indices]

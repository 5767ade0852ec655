"""Gather a long table of values into units: all repetitions of one model on one dataset."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omnibench.errors import StoreError

COLUMNS = (
    "task",
    "dataset",
    "backbone",
    "adaptation",
    "repetition",
    "definition",
    "metric",
    "value",
    "digest",
    "pairing",
    "varies",
    "control",
)

Key = tuple[str, str, str, str]  # task, dataset, adaptation, backbone
Score = tuple[str, str]  # definition ("id", of a view of the predictions "id@b5-t64"), metric


def split_decoding(definition: str) -> tuple[str, str]:
    """Return a definition's id and the view of the predictions: "gaussian-noise-3", "b5-t64".

    The view is "" of the test set itself, as one way of decoding texts is not: each has its name.
    """
    name, _, decoding = definition.partition("@")
    return name, decoding


def undecoded(score: Score) -> str:
    """Return "definition/metric" as a task lists it, whichever the view."""
    return f"{split_decoding(score[0])[0]}/{score[1]}"


def primary_score(scores: Iterable[Score], metric: str | None) -> Score | None:
    """Return which score is of a task's primary metric: of the test set, or the last decoding's.

    Args:
        metric: "definition/name" without a view; None of a task without one.
    """
    own = [score for score in beside_none(scores) if undecoded(score) == metric]
    return own[-1] if own else None


def beside_none(scores: Iterable[Score]) -> list[Score]:
    """Return the scores of the test sets themselves, and of texts those of every decoding.

    What is left out are further views beside a test set's own score, as of its corrupted images.
    """
    every = [*scores]
    plain = {undecoded(score) for score in every if not split_decoding(score[0])[1]}
    return [s for s in every if not split_decoding(s[0])[1] or undecoded(s) not in plain]


def by_view(scores: Iterable[Score]) -> dict[str, list[Score]]:
    """Return the scores of each view, "" for the test set itself."""
    views: dict[str, list[Score]] = {}
    for score in scores:
        views.setdefault(split_decoding(score[0])[1], []).append(score)
    return views


@dataclass(eq=False)
class Unit:
    """All repetitions of one (task, dataset, adaptation, backbone).

    Attributes:
        varies: what differs between repetitions.
        control: whether the backbone is a control: one draw of random weights, or a floor.
        digests, pairings: by repetition.
        scores: (definition, metric) -> repetition -> value.
    """

    varies: str
    control: bool
    digests: dict[int, str] = field(default_factory=dict)
    pairings: dict[int, str] = field(default_factory=dict)
    scores: dict[Score, dict[int, float]] = field(default_factory=dict)

    def pairing(self, definition: str, metric: str) -> list[str]:
        """Return the pairing hash of each repetition that holds this metric, in order."""
        return [self.pairings[k] for k in sorted(self.scores[definition, metric])]

    def values(self, definition: str, metric: str) -> NDArray[np.float64]:
        """Return this metric of each repetition, in order: [n], NaN where undefined."""
        scores = self.scores.get((definition, metric), {})
        return np.array([scores[k] for k in sorted(scores)], dtype=np.float64)


def units_of(values: pd.DataFrame) -> dict[Key, Unit]:
    """Gather the rows of each unit, in order of first appearance.

    Args:
        values: one row for each (record, metric), with the columns of `COLUMNS`.

    Raises:
        StoreError: two records claim the same repetition of a unit, named with their digests.
    """
    units: dict[Key, Unit] = {}
    columns = [values[name].tolist() for name in COLUMNS]
    for (
        task, dataset, backbone, adaptation, repetition, definition, metric, value, digest, pairing,
        varies, control,
    ) in zip(*columns, strict=True):  # fmt: skip
        key = (task, dataset, adaptation, backbone)
        unit = units.get(key)
        if unit is None:
            unit = units[key] = Unit(varies, control)
        known = unit.digests.setdefault(repetition, digest)
        unit.pairings.setdefault(repetition, pairing)
        scores = unit.scores.setdefault((definition, metric), {})
        if known != digest or repetition in scores:
            raise StoreError(
                f"{task}/{dataset}/{backbone}/{adaptation}: repetition {repetition} stands twice "
                f"(records {known[:8]} and {digest[:8]}); remove one of them"
            )
        scores[repetition] = value
    return units

"""Cells and units: the points of the matrix, their identity and their seeds."""

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibench.cards import BackboneCard, DatasetCard

# The purposes of which the pairing hash is made: what two paired runs must share.
PAIRED_PURPOSES = ("head", "order", "augmentation")


def digest_of(value: Any) -> str:
    """SHA-256 of canonical JSON (sorted keys, no spaces, no NaN) as 64 hex digits."""
    return _sha256(_canonical(value))


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Unit:
    """All repetitions of one (task, dataset, backbone, adaptation): what is scheduled.

    Attributes:
        adaptation: its name; `short` is its form in paths and tables.
        options, recipe: every field resolved.
        sources: the source digests of dataset and backbone.
        repetitions: which ones are asked for.
        needs: what is absent here, each with where to get it; a unit with needs is blocked.
        after: units whose records it needs, such as the pretraining of its backbone.
    """

    task: str
    dataset: DatasetCard
    backbone: BackboneCard
    adaptation: str
    short: str
    options: Mapping[str, Any]
    recipe: Mapping[str, Any]
    suite_seed: int
    sources: Mapping[str, str]
    repetitions: tuple[int, ...]
    decodings: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    after: "tuple[Unit, ...]" = ()

    @functools.cached_property
    def name(self) -> str:
        """task/dataset/backbone/adaptation, as in the record's path."""
        return f"{self.task}/{self.dataset.id}/{self.backbone.id}/{self.short}"

    def seed(self, purpose: str, repetition: int) -> int:
        """A seed in 0..2**63-1 that does not depend on the backbone, so repetitions pair."""
        parts = (self.suite_seed, self.dataset.id, self.task, self.short, repetition, purpose)
        return int(digest_of(list(parts))[:16], 16) >> 1

    def pairing(self, repetition: int) -> str:
        """Hash of the cell's seeds: equal for cells that differ in the backbone alone."""
        return digest_of([self.seed(purpose, repetition) for purpose in PAIRED_PURPOSES])[:16]

    def spec(self, repetition: int) -> dict[str, Any]:
        """Everything that decides the cell's numbers, as plain strings and numbers."""
        return {
            "task": self.task,
            "dataset": self.dataset.id,
            "backbone": self.backbone.id,
            "adaptation": self.adaptation,
            "options": {name: _portable(name, value) for name, value in self.options.items()},
            "recipe": dict(self.recipe),
            "decodings": list(self.decodings),
            "seed": self.suite_seed,
            "repetition": repetition,
        }

    @functools.cached_property
    def cells(self) -> tuple["Cell", ...]:
        """One cell a repetition, in order."""
        # What the repetitions share is written once; it is most of what a digest costs.
        identity = _canonical({"spec": self.spec(0), "sources": dict(self.sources)})
        # The last one is the spec's own: behind it come only the seed and the task's name, and
        # inside a string its quotes would be escaped.
        before, key, after = identity.rpartition('"repetition":0')
        return tuple(
            Cell(self, repetition, _sha256(f"{before}{key[:-1]}{repetition}{after}"))
            for repetition in self.repetitions
        )


def _portable(option: str, value: Any) -> Any:
    """An option's value without the folders of this machine, in `path` and in `knn: kind:PATH`."""
    if value is None or option not in ("path", "knn"):
        return value
    kind, colon, path = str(value).rpartition(":")
    return kind + colon + Path(path).name


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of the matrix, as `Unit.cells` makes them.

    Attributes:
        digest: its identity: `digest_of` {"spec": its spec, "sources": the source digests}.
    """

    unit: Unit
    repetition: int
    digest: str

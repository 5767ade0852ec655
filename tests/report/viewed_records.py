"""Records by hand of models that were tested on corruptions and trained on mixes."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.cards import BackboneCard, DatasetCard
from omnibench.cell import Unit
from omnibench.commands import reporting
from omnibench.data.corruptions import SETS
from omnibench.record import blank
from omnibench.scoring import score
from omnibench.session import Places, Session
from omnibench.store import RecordStore
from omnibench.suite import ReportSection
from omnibench.views import Corrupted, Mix

CASES, REPETITIONS = 80, (0, 1)
LABELS = np.arange(CASES) % 2
CORRUPTIONS = tuple(SETS["medmnistc"].of_dataset("breastmnist"))
SEVERITIES = range(1, 6)
TRAIN, TEST = (0.0, 0.5, 1.0), (0.0, 0.25, 0.5, 1.0)
STRENGTHS = {"base": 0.8, "good": 2.0}  # on clean images
DATASET = DatasetCard(
    id="breastmnist-28",
    reader="a:b",
    tasks=("classification",),
    classes=("malignant", "normal"),
    splits={"test": CASES},
)
Array = NDArray[Any]
Rows = list[dict[str, str]]
COMMON = {"input_size": 64, "normalization": "backbone", "precision": "fp32", "limit": None}


def unit(backbone: str, **other: Any) -> Unit:
    mix = other.get("mix")
    return Unit(
        task="classification",
        dataset=DATASET,
        backbone=BackboneCard(id=backbone, source="random:x"),
        adaptation="linear",
        short=f"linear{mix.suffix}" if mix else "linear",
        options={},
        recipe={**COMMON, "epochs": 3},
        suite_seed=7,
        sources={"dataset": "x", "backbone": backbone},
        repetitions=REPETITIONS,
        **other,
    )


def logits(strength: float, *seeds: int) -> Array:
    """Return logits [N, 2] that tell the classes apart as well as that."""
    noise = np.random.default_rng(seeds).normal(size=(CASES, 2))
    return (noise + strength * np.eye(2)[LABELS]).astype(np.float32)


def corrupted(backbone: str) -> tuple[Unit, list[dict[str, Array]]]:
    """Return a unit on all of MedMNIST-C's list, and what each repetition predicted."""
    views = tuple(Corrupted(name, s) for name in CORRUPTIONS for s in SEVERITIES)
    stored = [
        {
            "test_logits": logits(STRENGTHS[backbone], k),
            **{
                f"test_logits@{view.name}": logits(
                    STRENGTHS[backbone] * (1 - view.severity / 8), k, number
                )
                for number, view in enumerate(views, 1)
            },
        }
        for k in REPETITIONS
    ]
    return unit(backbone, views=views), stored


def mixed(backbone: str, train: float) -> tuple[Unit, list[dict[str, Array]]]:
    """Return a unit of a share of low quality in training, best where it is tested on it."""
    low = Corrupted("gaussian-noise", 3)
    strength = STRENGTHS[backbone]
    stored = [
        {
            "test_logits": logits(strength * (1 - 0.6 * train), k, round(10 * train)),
            "test_logits@low": logits(strength * (0.2 + 0.6 * train), k, round(10 * train), 1),
            "shares@low": np.array(TEST),
        }
        for k in REPETITIONS
    ]
    return unit(backbone, mix=Mix(low, train, TEST)), stored


class Viewed:
    """Records below a folder, and the report on them.

    Attributes:
        metrics: (backbone, adaptation) -> of each repetition "definition@view/name" -> value.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.out = folder / "out"
        store = RecordStore(folder)
        made = [corrupted(name) for name in STRENGTHS]
        made += [mixed(name, share) for name in STRENGTHS for share in TRAIN]
        self.metrics: dict[tuple[str, str], list[Mapping[str, float | None]]] = {}
        for item, stored in made:
            of_unit = self.metrics.setdefault((item.backbone.id, item.short), [])
            for cell, arrays in zip(item.cells, stored, strict=True):
                predictions = {**arrays, "test_labels": LABELS, "test_case": np.arange(CASES)}
                metrics = score("classification", predictions)
                done = {"status": "done", "metrics": metrics, "cost": {}, "digests": {}}
                store.write(cell, {**blank(cell), **done}, predictions, {})
                of_unit.append(metrics)
        units = [item for item, _ in made]
        suite = SimpleNamespace(
            looks={},
            monitored={},
            name="shift",
            datasets={DATASET.id: DATASET},
            backbones=list({item.backbone.id: item.backbone for item in units}.values()),
            report=ReportSection(baseline="base"),
        )
        monkeypatch.setattr(Session, "suite", lambda self_, name: (suite, units))
        reporting.report("shift", self.out, Places(results=folder))

    def mean(self, model: tuple[str, str], metric: str, view: str = "") -> float:
        """Return the mean over repetitions of what `score` gives."""
        definition = "omnirad" if metric == "macro-f1" else "omnibench"
        name = f"{definition}-classification{'@' * bool(view)}{view}/{metric}"
        values = [metrics[name] for metrics in self.metrics[model]]
        return math.fsum(value for value in values if value is not None) / len(values)

    def rows(self, stem: str, **fields: str) -> Rows:
        """Return the rows of a CSV that have these fields."""
        text = (self.out / f"{stem}.csv").read_text(encoding="utf-8")
        rows = csv.DictReader(text.splitlines())
        return [row for row in rows if fields.items() <= row.items()]

    def value(self, stem: str, **fields: str) -> float:
        """Return the value of the only row that has these fields."""
        (row,) = self.rows(stem, **fields)
        return float(row["value"])

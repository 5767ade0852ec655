"""A small results folder made by hand, with all that a page has to show; nothing is trained."""

import base64
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from omnibench.cards import BackboneCard, DatasetCard
from omnibench.catalogue import tasks
from omnibench.cell import Cell, Unit
from omnibench.commands import reporting
from omnibench.record import blank
from omnibench.scoring import score
from omnibench.session import Places, Session
from omnibench.store import RecordStore
from omnibench.suite import ReportSection

ATTACK = "</script><img src=x onerror=alert(1)> % & _ # $ { } ~ ^ \\ < > \" '"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
CASES = 60
DATASET = DatasetCard(
    id="dots",
    reader="a:b",
    tasks=("classification",),
    classes=("no_dot", "dot & $x$", ATTACK),
    splits={"test": 70},
    note=f"Made by hand {ATTACK}",
)
CARDS = {
    "base": BackboneCard(id="base", source="random:x"),
    "good": BackboneCard(id="good", source="timm:x", pretraining=("imagenet",), licence="MIT"),
    "lost": BackboneCard(id="lost", source="timm:x"),
}
VARIES = {"linear": (0, 1, 2), "knn": (0,), "full": (0, 1, 2)}


def unit(backbone: str, adaptation: str) -> Unit:
    common = {"input_size": 64, "normalization": "backbone", "precision": "fp32", "limit": None}
    recipe = {"epochs": 3, "lr": [0.1, 0.01]} if adaptation != "knn" else {"k": [1, 5]}
    return Unit(
        task="classification",
        dataset=DATASET,
        backbone=CARDS[backbone],
        adaptation=adaptation,
        short=adaptation,
        options={},
        suite_seed=7,
        recipe=common | recipe,
        sources={"dataset": "x", "backbone": backbone},
        repetitions=VARIES[adaptation],
        needs=("weights lost: fetch them",) if (backbone, adaptation) == ("lost", "knn") else (),
    )


class Results:
    """Records below a folder, and the command that reports on them.

    Attributes:
        again: what a second report says, where a test keeps one.
    """

    again: str

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.store = folder, RecordStore(folder)
        self.units = [unit(b, a) for b in CARDS for a in VARIES]
        self.suite = SimpleNamespace(
            looks={},
            monitored={},
            **{"name": "dots-suite", "datasets": {"dots": DATASET}},
            backbones=list(CARDS.values()),
            report=ReportSection(baseline="base"),
        )
        monkeypatch.setattr(
            tasks.get("classification"),
            "pictures",
            {"overlay": "Overlay sheet: masks over images", "captions": "Caption sheet: texts"},
            raising=False,
        )
        monkeypatch.setattr(Session, "suite", lambda self_, name: (self.suite, self.units))
        for item in self.units:
            for cell in item.cells:
                self.put(item, cell)

    def put(self, one: Unit, cell: Cell) -> None:
        """`lost` has failed with full, is blocked with knn, and lacks linear's last two."""
        name = one.backbone.id
        gone = one.short == "knn" or (one.short == "linear" and cell.repetition > 0)
        if name == "lost" and gone:
            return
        record = {
            **blank(cell),
            "environment": {
                **{"python": "3.11.1", "platform": "Linux-x86_64", "device": "cpu: a < b"},
                **{"threads": 2, "packages": {"torch": "2.15.0", "timm": "1.0.31"}},
            },
            "notes": {"chosen": {"lr": 0.1, "val_macro_f1": 0.5}},
            **{"digests": {}, "started": "2026-01-01", "finished": "2026-01-02"},
        }
        if (name, one.short) == ("lost", "full"):
            error = {"kind": "out of memory", "message": f"no room {ATTACK}\x1b[0m \udc80"}
            error |= {"traceback": "File secret.py"}
            self.store.write(
                cell, record | {"status": "failed", "metrics": {}, "cost": {}, "error": error}
            )
            return
        seed = 100 * list(CARDS).index(name) + 10 * list(VARIES).index(one.short) + cell.repetition
        rng = np.random.default_rng(seed)
        labels = np.arange(CASES) % 3
        logits = rng.normal(size=(CASES, 3)).astype(np.float32)
        logits[np.arange(CASES), labels] += {"base": 0.2, "good": 2.5, "lost": 1.0}[name]
        predictions: Any = {
            **{"test_logits": logits, "test_labels": labels, "test_case": np.arange(CASES)},
            "test_group": np.arange(CASES) // 2,
        }
        record |= {
            "status": "done",
            "metrics": score("classification", predictions),
            "cost": {
                **{"wall_s": 1.5 + seed / 100, "peak_memory_mb": 100.0, "images_per_s": 20.0},
                **{"trainable_parameters": 10, "total_parameters": 5_000_000 + 1000 * seed},
            },
        }
        files = {}
        if one.short == "full":
            lines = [
                {"epoch": e, "loss": 1 / (e + 1), "validation": {"macro-f1": 0.1 * e}}
                for e in range(3)
            ]
            files["epochs.jsonl"] = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
            files["overlay.png"] = PNG
        self.store.write(cell, record, predictions, files)

    def report(self, out: Path | None = None) -> str:
        """Write the report; returns the page's text."""
        out = out or self.folder / "reports"
        reporting.report("dots-suite", out, Places(results=self.folder))
        return (out / "report.html").read_text(encoding="utf-8")

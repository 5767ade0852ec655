"""Finished records of a small suite, as `run` would leave them, made without training."""

from pathlib import Path
from typing import Any

import numpy as np

from omnibench.record import blank
from omnibench.scoring import score
from omnibench.session import Places, Session

SUITE = """
name: trained
repetitions: 4
backbones: [{backbones}]
matrix: [{{task: classification, datasets: [phantom], adaptations: [{adaptations}]}}]
report: {{{report}}}
"""
LABELS = np.arange(300) % 3


def write_suite(
    folder: Path,
    signals: dict[str, float],
    adaptations: str = "full",
    report: str = "baseline: base",
    jitter: float = 0.3,
    repetitions: int = 4,
    precisions: tuple[tuple[str, str], ...] = (),
    patients: int = 0,
) -> Path:
    """Write suite and records; return the suite's path.

    Args:
        signals: backbone -> how far its logits tell the classes apart.
        jitter: of the signal between repetitions.
        repetitions: how many of the four are finished.
        precisions: pairs (backbone, the precision it ran in).
        patients: that the test cases are of; 0 where none is known.
    """
    cards = ", ".join(f"{{id: {name}, source: 'random:test_vit'}}" for name in signals)
    folder.mkdir(exist_ok=True)
    path = folder / "trained.yaml"
    path.write_text(SUITE.format(backbones=cards, adaptations=adaptations, report=report))
    session = Session.open(Places(results=folder / "results", data=folder / "data"))
    _, units = session.suite(str(path))
    for seed, unit in enumerate(units):
        rng = np.random.default_rng(seed)
        for cell in unit.cells[:repetitions]:
            signal = signals[unit.backbone.id] + jitter * rng.normal()
            logits = rng.normal(size=(300, 3)) + signal * np.eye(3)[LABELS]
            predictions: Any = {
                **{"test_logits": logits.astype(np.float32), "test_labels": LABELS},
                "test_case": np.arange(300),
            }
            if patients:
                predictions["test_group"] = np.array([f"p{i % patients}" for i in range(300)])
            metrics = score("classification", predictions)
            times = {"started": "2026", "finished": "2026"}
            record = {**blank(cell), "status": "done", "metrics": metrics, "digests": {}, **times}
            if unit.backbone.id in dict(precisions):
                record["environment"] = {"precision": dict(precisions)[unit.backbone.id]}
            session.store.write(cell, record, predictions)
    return path

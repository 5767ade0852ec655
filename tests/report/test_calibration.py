"""Calibration and decision curves in a report: tables, CSV, figures, and what is undefined."""

import csv
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.cards import DatasetCard
from omnibench.report.calibration import calibrated, calibration_table, long_table
from omnibench.report.delimited import to_csv
from omnibench.report.figures import drawing
from omnibench.report.figures.class_reliability import class_reliability
from omnibench.report.figures.decision_curves import decision_curves
from omnibench.report.figures.drawing import Drawing
from omnibench.report.figures.looks import Looks
from omnibench.report.stored_units import StoredUnits
from omnibench.report.study import Study
from omnibench.report.table import Table
from omnibench.stats.cases import Stored
from tests.report.page_records import ATTACK, Results

CASES = 80


def units(
    logits: dict[tuple[str, str], NDArray[np.float32]],
    labels: NDArray[np.int64],
    classes: tuple[str, ...] = (),
) -> StoredUnits:
    """Return units of [R, N, C] logits, of two cases a patient."""
    stored = {}
    for model, repetitions in logits.items():
        for k, values in enumerate(repetitions):
            arrays: dict[str, NDArray[Any]] = {"test_case": np.arange(len(labels))}
            arrays |= {"test_group": np.array([f"secret-{i // 2}" for i in range(len(labels))])}
            stored[f"{model}{k}"] = Stored(arrays | {"test_logits": values, "test_labels": labels})
    card = DatasetCard(id="dots", reader="a:b", tasks=("classification",), classes=classes)
    models = {m: {k: f"{m}{k}" for k in range(len(rows))} for m, rows in logits.items()}
    return StoredUnits("classification", card, models, stored.__getitem__)


def binary(classes: tuple[str, ...] = ("no", "yes")) -> StoredUnits:
    rng = np.random.default_rng(0)
    labels = (rng.random(CASES) < 0.3).astype(np.int64)
    odds = rng.normal(-0.8, 1, (2, CASES)) + 1.5 * labels
    logits = np.stack([np.zeros_like(odds), odds], axis=2).astype(np.float32)
    return units({("good", "linear"): logits, ("base", "linear"): 0 * logits}, labels, classes)


def table_of(some: StoredUnits) -> Table:
    dataset = calibrated(some)
    assert dataset is not None
    return calibration_table(dataset)


def drawn_of(some: StoredUnits, figure: Any, ends: tuple[float, float] | None) -> list[Drawing]:
    looks = Looks(backbone for backbone, _ in some.models)
    study = cast(Study, SimpleNamespace(logits=[some], decision_curves=ends, looks=looks))
    return list(figure(study))


def test_two_classes_are_told_of_the_second() -> None:
    table = table_of(binary())
    assert table.title == "Calibration: dots"
    assert table.heads[2:] == (
        *("slope", "intercept", "calibration error (points)", "Brier score (points)"),
    )
    (good, base) = table.texts
    assert good[:2] == ("good", "linear")
    assert " to " in good[2]
    assert base[2] == "\N{EN DASH}"  # every case has the same probability
    assert base[5].startswith("50.00 (50.00 to 50.00)")
    for part in (
        "on 80 test cases of 40 patients.",
        "(n = 2) with its 95 % interval over patients",
        "the log-odds of the class yes",
        "yes: no slope, as all cases have the same probability of it (base with linear).",
    ):
        assert part in table.caption
    assert "secret" not in table.caption


def test_a_class_without_cases_is_named_and_never_0() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, CASES)
    logits = rng.normal(size=(1, CASES, 3)).astype(np.float32)
    some = units({("good", "linear"): logits}, labels, ("a", "b", "c"))
    caption = table_of(some).caption
    assert "c: no slope, as there is no test case of it (every model)." in caption
    assert "c: no intercept, as there is no test case of it (every model)." in caption
    (figure,) = drawn_of(some, class_reliability, None)
    assert "Undefined, for want of a test case: c." in figure.caption
    (_, lines) = cast(Any, figure.data["lines"])[0]
    assert lines[2] == []
    assert len(lines[0]) == 10


def test_the_csv_holds_each_class_and_why_a_number_is_absent() -> None:
    dataset = calibrated(binary())
    assert dataset is not None
    rows = list(csv.DictReader(io.StringIO(to_csv(long_table([dataset])))))
    base = [row for row in rows if row["backbone"] == "base"]
    assert [(row["measure"], row["class"]) for row in base] == [
        *(("slope", ""), ("intercept", ""), ("calibration_error", ""), ("brier_score", "")),
        *(("slope", "yes"), ("intercept", "yes")),
    ]
    assert base[0]["value"] == ""
    assert base[0]["note"] == "all cases have the same probability of it"
    assert float(base[3]["value"]) == pytest.approx(0.5)
    assert (base[3]["cases"], base[3]["patients"], base[3]["repetitions"]) == ("80", "40", "2")


def test_labels_of_a_multi_label_task_are_told_each_by_itself() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, (CASES, 2))
    logits = rng.normal(size=(1, CASES, 2)).astype(np.float32)
    some = units({("good", "linear"): logits}, labels, ("nodule", "mass"))
    table = table_of(some)
    assert "the log-odds of a label; below 1" in table.caption
    assert "means over the labels that have them" in table.caption
    assert drawn_of(some, decision_curves, (0.05, 0.5)) == []
    (figure,) = drawn_of(some, class_reliability, None)
    assert [title.split()[0] for title in cast(Any, figure.data["titles"])] == ["nodule", "mass"]


def test_decision_curves_are_drawn_where_the_suite_wants_them(tmp_path: Path) -> None:
    assert drawn_of(binary(), decision_curves, None) == []
    (figure,) = drawn_of(binary(("no", ATTACK)), decision_curves, (0.05, 0.5))
    json.dumps(figure.data, allow_nan=False)
    curves = dict(cast(Any, figure.data["curves"]))
    labels = (np.random.default_rng(0).random(CASES) < 0.3).mean()
    at = np.array(figure.data["at"])
    # With a probability of .5 everywhere, the model acts on all cases at every threshold.
    expected = labels - (1 - labels) * at / (1 - at)
    assert np.allclose(curves["base · linear"][0], expected, atol=1e-5)
    assert f"probability of {ATTACK} reaches" in figure.caption
    assert all(path.stat().st_size > 5000 for path in drawing.write(figure, tmp_path))


def test_logits_that_cannot_be_used_are_named() -> None:
    some = binary()
    broken = {**some.models, ("lost", "linear"): {0: "absent"}}
    table = table_of(StoredUnits(some.task, some.dataset, broken, some.predictions))
    assert len(table.rows) == 2
    assert "lost with linear is left out: no test predictions of record absent" in table.caption


def test_the_tables_stand_in_page_latex_markdown_and_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = Results(tmp_path, monkeypatch)
    page = results.report()
    assert '<a href="#calibration">' in page
    assert "Calibration: dots" in page
    out = tmp_path / "reports"
    assert "Calibration: dots" in (out / "dots-suite.md").read_text()
    assert r"\subsection{Calibration: dots}" in (out / "report.tex").read_text()
    assert "dots-suite-calibration-dots" in (out / "dots-suite.tex").read_text()
    assert (out / "calibration.csv").read_text().startswith("task,dataset,backbone,adaptation")

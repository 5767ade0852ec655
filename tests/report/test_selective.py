"""Selective prediction in a report: its table, what is undefined, and risk-coverage curves."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.cards import DatasetCard
from omnibench.report.figures import drawing
from omnibench.report.figures.drawing import Drawing
from omnibench.report.figures.looks import Looks
from omnibench.report.figures.risk_coverage import risk_coverage
from omnibench.report.selective import selective_table
from omnibench.report.stored_units import StoredUnits
from omnibench.report.study import Study
from omnibench.report.table import DASH, Table
from omnibench.scoring import score
from omnibench.stats.cases import Stored
from omnibench.stats.risk_coverage import COVERAGES
from tests.report.page_records import Results

CASES = 90
Logits = dict[tuple[str, str], NDArray[np.float32]]


def units(logits: Logits, labels: NDArray[np.int64]) -> StoredUnits:
    """Return units of [R, N, C] logits, of two cases a patient."""
    stored = {}
    for model, repetitions in logits.items():
        for k, values in enumerate(repetitions):
            arrays: dict[str, NDArray[Any]] = {
                "test_case": np.arange(len(labels)),
                "test_group": np.array([f"secret-{i // 2}" for i in range(len(labels))]),
            }
            stored[f"{model}{k}"] = Stored(arrays | {"test_logits": values, "test_labels": labels})
    card = DatasetCard(id="dots", reader="a:b", tasks=("classification",))
    models = {m: {k: f"{m}{k}" for k in range(len(rows))} for m, rows in logits.items()}
    return StoredUnits("classification", card, models, stored.__getitem__)


def three_classes() -> tuple[Logits, NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, CASES)
    noise = rng.normal(size=(3, CASES, 3))
    logits = {
        ("good", "linear"): (noise + 2 * np.eye(3)[labels]).astype(np.float32),
        ("base", "linear"): (noise + 0.5 * np.eye(3)[labels]).astype(np.float32),
        ("base", "knn"): noise[:1].astype(np.float32),
    }
    return logits, labels


def table_of(some: StoredUnits, baseline: str | None = "base") -> Table:
    table = selective_table(some, baseline)
    assert table is not None
    return table


def drawn(some: StoredUnits, baseline: str | None) -> list[Drawing]:
    looks = Looks(backbone for backbone, _ in some.models)
    return list(
        risk_coverage(
            cast(Study, SimpleNamespace(logits=[some], baseline=baseline, looks=looks)),
        )
    )


def test_numbers_of_the_table_are_those_of_the_metrics() -> None:
    logits, labels = three_classes()
    table = table_of(units(logits, labels))
    for row in table.rows:
        values = [
            score("classification", {"test_logits": own, "test_labels": labels})
            for own in logits[row.cells[0].text, row.cells[1].text]
        ]
        by_head = dict(zip(table.heads, (cell.value for cell in row.cells), strict=True))
        for head, name in (
            ("AUGRC (points)", "augrc"),
            ("AUROC of failures (points)", "failure-auroc"),
            ("accuracy at 80 % coverage (points)", "accuracy-at-coverage-80"),
        ):
            expected = np.mean([cast(float, each[f"selective-msp/{name}"]) for each in values])
            assert by_head[head] == pytest.approx(expected)
    good, base, single = table.texts
    assert good[3].startswith("\N{MINUS SIGN}")
    assert " to " in good[2]
    assert base[3] == single[3] == DASH  # the baseline itself
    assert single[-1] == DASH  # one repetition is no ensemble
    assert "from base with the same adaptation" in table.caption
    assert "secret" not in table.caption


def test_without_a_baseline_there_is_no_difference() -> None:
    table = table_of(units(*three_classes()), None)
    assert "difference (points)" not in table.heads
    assert "ifferences" not in table.caption
    assert "labels" not in table.caption


def test_what_is_undefined_is_a_dash_with_its_reason() -> None:
    labels = np.arange(CASES) % 2
    right = 5 * np.eye(2, dtype=np.float32)[labels][None]
    some = units({("good", "linear"): right, ("base", "linear"): right}, labels)
    table = table_of(some)
    assert table.texts[0][2] == "0.00"
    assert table.texts[0][4] == DASH
    assert "No AUROC of failures: in some repetition all answers are right" in table.caption
    assert "No interval: the metric is the same whoever is tested" in table.caption
    lost = StoredUnits(
        some.task, some.dataset, {**some.models, ("lost", "x"): {0: "absent"}}, some.predictions
    )
    assert "lost with x is left out: no test predictions of record absent" in table_of(lost).caption


def test_labels_of_a_multi_label_task_are_said_to_be_ranked_each_by_itself() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, (CASES, 3))
    logits = (rng.normal(size=(2, CASES, 3)) + labels).astype(np.float32)
    some = units({("good", "linear"): logits}, labels)
    assert "labels, each of which is ranked by itself" in table_of(some).caption
    (figure,) = drawn(some, None)
    assert len(cast(Any, figure.data["curves"])) == 1


def test_curves_stand_beside_the_best_and_the_random_order(tmp_path: Path) -> None:
    logits, labels = three_classes()
    (figure,) = drawn(units(logits, labels), "base")
    json.dumps(figure.data, allow_nan=False)
    curves = {name: parts for name, *parts in cast(Any, figure.data["curves"])}
    risk, oracle, random = curves["good · linear"]
    wrong = (logits["good", "linear"].argmax(axis=2) != labels).mean(axis=1)
    assert risk[-1] == pytest.approx(oracle[-1], abs=1e-4) == pytest.approx(wrong.mean(), abs=1e-4)
    assert random == pytest.approx(wrong.mean(), abs=1e-6)
    at = COVERAGES.index(80)
    best = np.maximum(0, 72 - (1 - wrong) * CASES) / 72
    assert oracle[at] == pytest.approx(best.mean(), abs=1e-4)
    ((name, less, margin),) = cast(Any, figure.data["less"])
    assert name == "good · linear"
    base = curves["base · linear"][0]
    assert less[at] == pytest.approx(risk[at] - base[at], abs=2e-4)
    assert less[at] + margin[at] < 0
    assert "from base at the same coverage" in figure.caption
    (alone,) = drawn(units(logits, labels), None)
    assert "Differences:" not in alone.caption
    assert all(path.stat().st_size > 5000 for path in drawing.write(figure, tmp_path))


def test_the_table_stands_in_page_latex_and_markdown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Results(tmp_path, monkeypatch).report()
    assert '<a href="#selective">' in page
    out = tmp_path / "reports"
    assert "Selective prediction: dots" in (out / "dots-suite.md").read_text()
    assert r"\subsection{Selective prediction: dots}" in (out / "report.tex").read_text()
    assert (out / "figures" / "risk-coverage-classification-dots.svg").is_file()

"""The methods in words: every fact from the records, nothing that was not done."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from omnibench.record import as_bytes
from omnibench.report import gather
from omnibench.report.across import across_tables
from omnibench.report.complete import completed
from omnibench.report.page.methods import choices, recipe_words
from omnibench.report.page.testing import CORRECTIONS as NAMED
from omnibench.report.page.testing import over_datasets
from omnibench.report.study import Study as Reported
from omnibench.report.words import counted, listed, questions, ranged, span
from omnibench.stats.correction import CORRECTIONS
from omnibench.stats.deciding import NEW_IMAGES, NEW_RUNS
from omnibench.suite import ReportSection
from tests.report.by_hand import Study
from tests.report.page_records import Results


@pytest.fixture
def prose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Results, Callable[..., Any]]:
    results = Results(tmp_path, monkeypatch)

    def written() -> str:
        text = results.report()
        start = text.index('<div id="prose">')
        return text[start : text.index("</div>", start)]

    return results, written


def test_facts(prose: tuple[Results, Callable[..., Any]]) -> None:
    _, written = prose
    text = written()
    for fact in (
        "We evaluated 3 backbones (base, good and lost).",
        "base is a control with random weights, one fixed draw each.",
        "Of 21 planned runs, 15 are finished; only these are described and compared.",
        "Classification: dataset dots (60 test cases).",
        "linear trains a linear layer on frozen, standardised embeddings (images of 64 pixels, 3 "
        "epochs, learning rate 0.1 or 0.01, precision fp32, normalised by each backbone&#39;s own "
        "statistics; learning rate (of 2 candidates) chosen by macro f1 on the validation images).",
        "Metrics: macro-f1, accuracy and auc (definition omnirad-classification, in points).",
        "linear 1 to 3 times (head seed varies), knn once (deterministic) and full 3 times",
        "suite seed 7.",
        "paired across backbones.",
        "Differences from base were tested two-sided for new images and runs (single repetitions "
        "for new images alone), with 95 % intervals by the t distribution",
        "Repetitions of frozen probes differ in the head&#39;s seed alone.",
        "Verdicts are on each task&#39;s primary metric (macro-f1).",
        "Holm&#39;s step-down procedure over families of 1 to 2 comparisons: the backbones "
        "compared with base on one dataset with one adaptation",
        "Other metrics are described by their intervals, which are not corrected.",
        "Runs alone were compared on these test images by paired t",
        "6 comparisons could not be tested",
        "Software: torch 2.15.0, timm 1.0.31 and Python 3.11.1. Device: cpu: a &lt; b.",
    ):
        assert fact in text, fact
    assert "70" not in text  # the official size is not what was tested


def test_without_a_baseline_no_test_is_claimed(prose: tuple[Results, Callable[..., Any]]) -> None:
    results, written = prose
    results.suite.report = ReportSection()
    text = written()
    assert "No difference from a baseline was tested." in text
    for word in ("Holm", "DeLong", "dagger", "Hedges", "corrected"):
        assert word not in text


def test_every_correction_is_named(prose: tuple[Results, Callable[..., Any]]) -> None:
    assert set(NAMED) == set(CORRECTIONS)
    results, written = prose
    results.suite.report = ReportSection(baseline="base", correction="benjamini-hochberg")
    text = written()
    assert "Benjamini and Hochberg&#39;s step-up procedure over families of 1 to 2" in text
    assert "Holm" not in text


def test_other_seeds_are_not_called_paired(prose: tuple[Results, Callable[..., Any]]) -> None:
    results, written = prose
    for path in results.folder.rglob("rep-*.json"):
        if "/good/" in path.as_posix():
            record = json.loads(path.read_bytes())
            path.write_bytes(as_bytes({**record, "pairing": "other"}))
    assert "paired across backbones" not in written()


def test_what_is_said_over_datasets() -> None:
    def said(study: Study, baseline: str | None = "a") -> list[str]:
        complete = list(completed(study.results(), study.values))
        options: dict[str, Any] = {"baseline": baseline, "correction": "holm"}
        across = across_tables(complete, [], **options)
        reported = SimpleNamespace(complete=complete, across=across, overall=[], **options)
        return list(over_datasets(cast("Reported", reported)))

    def made(names: str, datasets: int, repetitions: int) -> Study:
        study = Study()
        for d in range(datasets):
            for k, name in enumerate(names):
                study.add(name, [0.1 * k + 0.01 * (d + r) for r in range(repetitions)], f"d{d}")
        return study

    assert said(made("abc", 1, 3)) == []
    assert said(made("a", 6, 3)) == []
    ranked, paired, resampled = said(made("abc", 6, 3))
    assert "Iman and Davenport's F" in ranked
    assert "exact Wilcoxon" in paired
    assert "corrected by Holm over all pairs" in paired
    assert "improvement over a have 95 % intervals" in resampled
    assert "2,000 resamples" in resampled
    assert "improvement" not in said(made("abc", 6, 3), None)[-1]
    (only,) = said(made("ab", 2, 1))
    assert only.endswith("were ranked by their means.")


def test_words() -> None:
    assert [listed([]), listed("a"), listed("aba"), listed("abc", "or")] == [
        "", "a", "a and b", "a, b or c"
    ]  # fmt: skip
    assert [counted(1, "image"), counted(1234, "image")] == ["1 image", "1,234 images"]
    assert [span([3, 3]), span([5, 2])] == ["3", "2 to 5"]
    assert [ranged([n, 1], "pair") for n in (1, 4)] == ["1 pair", "1 to 4 pairs"]
    assert [questions([NEW_RUNS] * 2), questions([NEW_IMAGES])] == [NEW_RUNS, NEW_IMAGES]
    assert questions([NEW_IMAGES, NEW_RUNS]) == (
        "new images and runs (single repetitions for new images alone)"
    )


def test_recipes_name_every_value_that_occurs() -> None:
    records: Any = [
        {"spec": {"recipe": {"epochs": 1, "limit": None, "lr": 1e-4}}, "notes": {}},
        {"spec": {"recipe": {"epochs": 1, "limit": 64, "lr": 1e-4}}, "notes": {}},
    ]
    words = "at most 64 images of each split, one fixed draw (by label where they are read) "
    words += "(where limited), 1 epoch, learning rate 0.0001"
    assert recipe_words(records) == words
    assert choices(records) == ""
    records[0]["notes"]["chosen"] = {"epoch": 3, "val_loss": 0.5}
    assert choices(records) == "epoch chosen by loss on the validation images"


def test_equivalence_within_the_suites_margin_is_said_of_the_primary_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = Results(tmp_path, monkeypatch)
    said = {}
    for margin in (None, 0.5, 90):
        results.suite.report = ReportSection(baseline="base", equivalence_margin=margin)
        page = results.report()
        told = (tmp_path / "reports" / "dots-suite.md").read_text(encoding="utf-8")
        assert ("equivalence" in page) == (margin is not None)
        said[margin] = [line for line in told.splitlines() if "within the margin" in line]
        assert all("macro-f1" in line for line in said[margin])
    assert said[None] == []
    assert all("equivalence not shown" in line for line in said[0.5])
    assert sum("equivalence shown" in line for line in said[90]) == len(said[90]) > 1


def test_a_primary_metric_that_is_not_in_points_is_named_where_a_margin_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = Results(tmp_path, monkeypatch)
    results.suite.report = ReportSection(baseline="base", equivalence_margin=90)
    key = "omnirad-classification/macro-f1"
    monkeypatch.setattr(gather, "units_by_metric", lambda values: {key: "millimetres"})
    page = results.report()
    sentence = "The margin is in points; macro-f1 is in millimetres, so it is left out."
    assert page.count(f'<p class="note">{sentence}</p>') == 1
    assert sentence in page[page.index('<div id="prose">') :]
    assert f"\n\n{sentence}\n\n" in (tmp_path / "reports" / "dots-suite.md").read_text()
    assert "equivalence shown" not in page
    assert "(x 100; higher is better), macro-f1 in millimetres, mean" in page
    assert "Metrics on dots in points" in page  # of the same definition, and in a unit of its own

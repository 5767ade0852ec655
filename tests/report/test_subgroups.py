"""Subgroups in a report: tables, CSV, what is lacking, too small or undefined."""

import csv
import io
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from omnibench.record_files import read_predictions
from omnibench.report.gather import gather
from omnibench.report.study import Study
from omnibench.states import states
from omnibench.subgrouping import Subgrouping
from tests.report.page_records import ATTACK, CASES, Results

SEX = np.array(["F", "M", "M"])[np.arange(CASES) // 2 % 3]
AGE = np.where(np.arange(CASES) < 4, np.nan, np.arange(CASES, dtype=np.float64))
# Of a site of class 0 alone, and one with four cases.
SITE = np.where(np.arange(CASES) % 3 == 0, "north", "south")
SITE[:4] = ATTACK[:30]


class Made:
    """Results whose predictions hold columns, and what a report makes of them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.results = folder, Results(folder, monkeypatch)
        self.store_columns({"sex": SEX, "age": AGE, "site": SITE})

    def store_columns(
        self, columns: dict[str, NDArray[Any]], only: tuple[str, str] | None = None
    ) -> None:
        for unit in self.results.units:
            if only is not None and (unit.backbone.id, unit.short) != only:
                continue
            for cell in unit.cells:
                record = self.results.store.read(cell)
                if record is None or record["status"] != "done":
                    continue
                arrays = read_predictions(self.results.store.path(cell))
                arrays = {n: a for n, a in arrays.items() if not n.startswith("test_column:")}
                arrays |= {f"test_column:{name}": values for name, values in columns.items()}
                self.results.store.write(cell, record, arrays)

    def study(self, *wanted: Subgrouping) -> Study:
        vars(self.results.suite.report).update(subgroups=list(wanted))
        store, suite = self.results.store, cast(Any, self.results.suite)
        return gather(suite, states(self.results.units, store), store)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    return Made(tmp_path, monkeypatch)


def test_each_group_of_each_model_is_a_row(made: Made) -> None:
    (table,) = made.study(Subgrouping("sex")).subgroup_tables
    assert table.title == "Subgroups by sex: dots, macro-f1"
    assert table.heads[:6] == (
        *("backbone", "adaptation", "sex", "cases", "patients", "macro-f1 (points)"),
    )
    rows = {row[:3]: row for row in table.texts}
    good = next(row for key, row in rows.items() if key[:2] == ("good", "linear"))
    assert good[2].startswith("F")
    assert good[3:5] == ("20", "10")
    store, scores = made.results.store, []
    for unit in made.results.units:
        if (unit.backbone.id, unit.short) == ("good", "linear"):
            for cell in unit.cells:
                arrays = read_predictions(store.path(cell))
                some = SEX == "F"
                truth, answer = arrays["test_labels"], arrays["test_logits"].argmax(axis=1)
                scores.append(f1_score(truth[some], answer[some], average="macro"))
    assert good[5].startswith(f"{100 * np.mean(scores):.2f} (")
    base = next(row for key, row in rows.items() if key[:2] == ("base", "linear"))
    assert base[6:] == ("\N{EN DASH}",) * 4
    assert sum("(worst)" in row[2] for row in table.texts if row[:2] == ("good", "linear")) == 1
    for part in (
        "for new patients and new runs (single repetitions for new patients alone); not corrected.",
        "Difference from base within the group, and the interaction",
        "The two groups of sex mirror each other",
    ):
        assert part in table.caption


def test_bands_name_what_is_unknown_and_what_is_too_small(made: Made) -> None:
    (table,) = made.study(Subgrouping("age", (0.0, 30.0))).subgroup_tables
    names = [row[2].removesuffix(" (worst)") for row in table.texts[:3]]
    assert names == ["0-30", ">= 30", "unknown (too small)"]
    unknown = table.texts[2]
    assert "(" not in unknown[5]
    assert "Bands are half-open" in table.caption
    assert "Corrected by Holm over the groups of age of one model: its family." in table.caption


def test_classes_that_a_group_lacks_are_named(made: Made) -> None:
    study = made.study(Subgrouping("site"))
    (table,) = study.subgroup_tables
    assert (
        "north has no case of dot & $x$ and "
        f"{ATTACK}: an AUC is undefined there, and macro-F1 is over the classes"
    ) in table.caption
    auc = next(t for t in study.subgrouped[0] if t.results.metric == "auc")
    north = next(r for r in next(iter(auc.models.values())) if r.group.name == "north")
    assert np.isnan(north.value)


def test_why_a_group_has_no_interval_is_said(made: Made) -> None:
    for unit in made.results.units:
        for cell in unit.cells:
            record = made.results.store.read(cell)
            if record is not None and record["status"] == "done":
                arrays = read_predictions(made.results.store.path(cell))
                wrong = np.eye(3)[(arrays["test_labels"] + 1) % 3]
                arrays["test_logits"] = np.where(
                    (SEX == "F")[:, None], wrong, arrays["test_logits"]
                ).astype(np.float32)
                made.results.store.write(cell, record, arrays)
    (table,) = made.study(Subgrouping("sex")).subgroup_tables
    (row,) = (row for row in table.texts if row[:2] == ("good", "linear") and row[2][0] == "F")
    assert row[5] == "0.00"
    assert "F: no interval, as the metric is the same whoever is tested" in table.caption


def test_a_column_that_is_absent_or_of_other_cases_is_said_in_one_sentence(made: Made) -> None:
    study = made.study(Subgrouping("scanner"), Subgrouping("sex", (1.0,)))
    (table,) = study.subgroup_tables
    assert table.rows == ()
    assert table.caption == (
        "No subgroups by scanner of dots: no predictions hold it; declare it beside the data and "
        "run again with --force. No subgroups by sex of dots: it holds texts, which have no "
        "bands; name it without edges."
    )
    made.store_columns({}, only=("good", "knn"))
    made.store_columns({"sex": SEX[::-1]}, only=("good", "full"))
    (table,) = made.study(Subgrouping("sex")).subgroup_tables
    assert "good with knn is left out: its predictions hold no sex." in table.caption
    assert "good with full is left out: its sex is not that of the other models." in table.caption
    assert ("good", "full") not in {row[:2] for row in table.texts}


def test_tables_stand_in_page_latex_markdown_and_csv_without_a_patient(made: Made) -> None:
    vars(made.results.suite.report).update(subgroups=[Subgrouping("sex"), Subgrouping("site")])
    page = made.results.report()
    assert '<a href="#subgroups">' in page
    assert "<script>alert" not in page
    assert ATTACK[:30] not in page
    out = made.folder / "reports"
    assert "## Subgroups by sex: dots, macro-f1" in (out / "dots-suite.md").read_text()
    assert r"\subsection{Subgroups by sex: dots, macro-f1}" in (out / "report.tex").read_text()
    rows = list(csv.DictReader(io.StringIO((out / "subgroups.csv").read_text())))
    assert {row["metric"] for row in rows} == {"macro-f1", "accuracy", "auc"}
    assert {row["measure"] for row in rows} == {"value", "difference", "interaction"}
    one = next(r for r in rows if r["measure"] == "interaction" and r["column"] == "sex")
    assert one["p"] == one["p_corrected"]


def test_without_the_key_nothing_is_said(made: Made) -> None:
    assert made.study().subgroup_tables == []

"""How results are laid out: tables a metric, a dataset or a task; no number gets lost or moved."""

from typing import Any

import pytest

from omnibench.report.captions import caption, details
from omnibench.report.layout import laid_out
from omnibench.report.names import Names
from omnibench.report.result_tables import result_table
from omnibench.report.truth import Truth
from omnibench.task import Chance
from tests.report.by_hand import Study


@pytest.fixture
def several(study: Study) -> Study:
    """Two datasets, two adaptations, two metrics of two definitions."""
    for dataset in ("d", "e"):
        for name, value in (("random-vit", 0.5), ("good", 0.9), ("fair", 0.7)):
            study.add(name, [value, value], dataset)
            study.add(name, [value / 2], dataset, adaptation="knn")
            study.add(name, [1 - value] * 2, dataset, metric="ece", definition="other")
    return study


def cells(tables: Any) -> dict[tuple[str, ...], str]:
    """Return the printed mean of each dataset, backbone, adaptation and metric."""
    return {
        (*results.place(column, row), row.backbone, row.adaptation): f"{cell.mean:.6f}"
        for results in tables
        for column, row, cell in results.cells
        if cell.state == "done"
    }


@pytest.mark.parametrize("layout", ["per-task", "per-dataset", None])
def test_every_number_stands_in_every_layout(several: Study, layout: Any) -> None:
    results = several.results(lower_is_better={"other/ece"})
    assert cells(laid_out(results, layout, {})) == cells(results)
    assert laid_out(results, "per-metric", {}) == results


def test_a_table_a_dataset_has_metrics_as_columns_and_the_best_first(several: Study) -> None:
    tables = laid_out(several.results(lower_is_better={"other/ece"}), None, {})
    assert [(t.title, t.columns) for t in tables] == [
        ("classification: d", ("auc", "ece")),
        ("classification: e", ("auc", "ece")),
    ]
    names = [(row.backbone, row.adaptation) for row in tables[0].rows]
    backbones = ("good", "fair", "random-vit")
    assert names == [(b, a) for a in ("linear", "knn") for b in backbones]
    table = result_table(tables[0])
    assert [column.falling for column in table.columns] == [False, False, False, True]
    groups = [row.group for row in table.rows]
    assert groups[0] == groups[2] != groups[3] == groups[5]
    assert "Metric definitions: auc def; ece other." in details(tables[0])[0]
    assert "Metric definition: other." in table.rows[0].cells[3].details


def test_less_is_first_where_the_first_metric_falls(several: Study) -> None:
    tables = laid_out(several.results(lower_is_better={"def/auc"}), None, {})
    assert [row.backbone for row in tables[0].rows[:3]] == ["random-vit", "fair", "good"]


def test_a_table_a_task_names_the_dataset_of_each_row(several: Study) -> None:
    (results,) = laid_out(several.results(), "per-task", {})
    table = result_table(results, names=Names(datasets={"d": "Dots"}))
    assert table.title == "classification"
    assert table.heads[:3] == ("dataset", "backbone", "adaptation")
    assert [texts[0] for texts in table.texts] == ["Dots"] * 6 + ["e"] * 6
    assert caption(results).startswith("Metrics on d and e in points")


def test_a_metric_of_two_definitions_is_named_with_both(study: Study) -> None:
    study.add("a", [0.5]).add("a", [0.6], definition="other").add("a", [0.7], metric="f1")
    (table,) = laid_out(study.results(), None, {})
    assert table.columns == ("def/auc", "other/auc", "f1")
    assert [cell.mean for cell in table.rows[0].cells] == [0.5, 0.6, 0.7]
    assert table.score("other/auc") == ("other", "auc")


def test_a_metric_that_is_undefined_in_every_row_is_left_out_and_named(study: Study) -> None:
    study.add("a", [float("nan")]).add("a", [0.6], metric="f1")
    (table,) = laid_out(study.results(), None, {})
    assert table.columns == ("f1",)
    assert "Undefined in every row, so left out: auc." in details(table)[0]


def test_chance_is_the_last_row_of_a_table_and_each_guess_is_named(several: Study) -> None:
    truths = {("classification", "d"): Truth(9, {"def/auc": Chance(0.5, "a coin")})}
    first, second = laid_out(several.results(), None, {})
    table = result_table(first, truths=truths)
    assert table.texts[-1] == ("chance", "", "50.00", "\N{EN DASH}")
    assert table.rows[-1].cells[2].details == ("Chance: a coin.",)
    assert table.details[-1] == "Chance, without a look at the images: auc of a coin."
    assert result_table(second, truths=truths).texts[-1][0] != "chance"
    (auc, _) = several.results()
    assert result_table(auc, truths=truths).texts[-1] == ("chance", "", "50.00", "\N{EN DASH}")


def test_what_makes_backbones_names_what_it_made(study: Study) -> None:
    study.add("random-vit", [0.5])
    made = {("classification", "d", "random-vit", "linear"): "mine"}
    (results,) = laid_out(study.results(), None, made)
    table = result_table(results, names=Names(backbones={"random-vit": "Random"}))
    assert table.heads[:3] == ("backbone", "made from", "adaptation")
    assert table.texts[0][:2] == ("mine", "Random")
    (results,) = laid_out(study.results(), "per-metric", made)
    assert result_table(results).texts[0][:2] == ("mine", "random-vit")

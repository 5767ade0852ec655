"""The best mean in a sentence: by the commands of its numbers, the tied ones named."""

from dataclasses import replace
from types import SimpleNamespace

from omnibench.report.headlines import best_of, by_column, headlines


def sentences(table):
    found = headlines(SimpleNamespace(primary={table.task: table}))
    return [best_of(column) for column in by_column(found)]


def test_best_mean_with_its_comparison(demo):
    (table,) = demo.results(baseline="random-vit")
    first, second = sentences(table)
    stem = r"\obGoodLinearDAuc"
    assert first == (
        rf"classification, d, auc: good (linear) with {stem}Mean{{}} $\pm$ {stem}Std{{}} points; "
        rf"difference from random-vit: {stem}Difference{{}} [{stem}Low, {stem}High], "
        rf"corrected $p$ {stem}P."
    )
    assert second.startswith("classification, e, auc: random-vit (linear) with ")
    assert "difference" not in second


def test_lower_may_be_better_and_the_tied_are_named(study):
    study.add("a_1", [0.5], metric="loss").add("b", [0.7], metric="loss")
    (table,) = study.results(lower_is_better=["def/loss"])
    rows = [replace(row, cells=(replace(row.cells[0], leading=True),)) for row in table.rows]
    (said,) = sentences(replace(table, rows=tuple(rows)))
    assert r"a\_1 (linear) with \obAOneLinearDLossMean{} points" in said
    assert said.endswith("; not told apart from it: b (linear).")


def test_a_column_without_a_number_has_no_best(study):
    study.add("a", [float("nan")])
    assert sentences(study.results()[0]) == []

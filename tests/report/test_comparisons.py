"""Comparisons with the baseline as tables: every number, and what was not tested."""

from types import SimpleNamespace
from typing import Any, cast

from omnibench.report.comparisons import HEADS, difference_tables
from omnibench.report.study import Study as Reported
from tests.report.by_hand import Study


def tables(study: Study, correction: str = "holm") -> Any:
    actual = study.results(baseline="random-vit")
    reported = SimpleNamespace(
        **{"baseline": "random-vit", "correction": correction, "shown": actual},
        comparisons=study.comparisons,
        unit_of=lambda score: "points",
    )
    return difference_tables(cast("Reported", reported))


def test_rows_and_caption(demo: Study) -> None:
    demo.compare("lost", test="none", difference=float("nan"), note="no auc of lost")
    (table,) = tables(demo, "benjamini-hochberg")
    assert table.title == "Differences from random-vit: classification, auc"
    assert table.heads == HEADS
    minus = "\N{MINUS SIGN}"
    assert table.texts == (
        ("d, linear: good", "+12.30", "4.50 to 20.10", ".001", ".002", "\N{EN DASH}"),
        ("d, linear: fair", "+10.00", f"{minus}10.00 to 30.00", ".200", ".200", "\N{EN DASH}"),
        ("d, linear: lost", "undefined", "not tested", "", "", ""),
    )
    assert "Two-sided tests: DeLong (mean of 3 repetitions)." in table.caption
    assert "Corrected by Benjamini-Hochberg over 2 comparisons" in table.caption
    assert table.caption.endswith("Not tested: no auc of lost.")


def test_a_table_for_each_metric(study: Study) -> None:
    study.add("a", [0.5]).add("a", [0.5], metric="f1")
    study.compare("a", p=0.0001, p_corrected=0.0002, low=0.0, high=0.1, effect=1.234)
    study.compare("a", metric="f1", test="none", note="why")
    first, second = tables(study)
    assert first.texts[0][3:] == ("< .001", "< .001", "1.23")
    assert "Two-sided" not in second.caption


def test_nothing_compared(demo: Study) -> None:
    demo.comparisons = []
    assert tables(demo) == []

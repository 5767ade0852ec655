"""Comparisons with the baseline as tables: every number, and what was not tested."""

from types import SimpleNamespace
from typing import Any, cast

from omnibench.report.comparisons import HEADS, difference_tables
from omnibench.report.names import NO_NAMES
from omnibench.report.study import Study as Reported
from omnibench.report.table import DASH
from tests.report.by_hand import Study

NO_RUNS = (DASH, DASH)


def tables(study: Study, correction: str = "holm") -> Any:
    actual = study.results(baseline="random-vit")
    reported = SimpleNamespace(
        names=NO_NAMES,
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
        ("d, linear: good", "+12.30", "4.50 to 20.10", ".001", ".002", "better", *NO_RUNS),
        (
            *("d, linear: fair", "+10.00", f"{minus}10.00 to 30.00", ".200", ".200"),
            *("undecided", *NO_RUNS),
        ),
        ("d, linear: lost", "undefined", "not tested", "", "", "", *NO_RUNS),
    )
    assert "p: for new images and runs, two-sided, not corrected." in table.caption
    assert (
        "Corrected by Benjamini-Hochberg over the 2 backbones compared with random-vit on one "
        "dataset with one adaptation."
    ) in table.caption
    assert "these images" not in table.caption
    assert table.caption.endswith("Not tested: no auc of lost.")


def test_a_table_for_each_metric(study: Study) -> None:
    study.add("a", [0.5]).add("a", [0.5], metric="f1")
    over_runs: Any = {"test_runs": "paired t", "p_runs": 0.03, "effect": 1.234}
    study.compare("a", p=0.0001, p_corrected=0.0002, low=0.01, high=0.1, family=1, **over_runs)
    study.compare("a", metric="f1", p=0.01, low=0.0, high=0.1)
    study.compare("b", metric="f2", test="none", note="why", **over_runs)
    first, second, third = tables(study)
    assert first.texts[0][3:] == ("< .001", "< .001", "better", ".030", "1.23")
    assert "over the 1 backbone compared with random-vit" in first.caption
    assert first.caption.endswith(
        "p, these images, and Hedges g: over repetitions alone, by paired t."
    )
    assert second.texts[0][3:6] == (".010", DASH, DASH)
    assert "Described, not decided: this is not the task's primary metric." in second.caption
    assert "Corrected" not in second.caption
    assert third.texts[0][2:] == ("not tested", "", "", "", ".030", "1.23")
    assert "two-sided" not in third.caption


def test_nothing_compared(demo: Study) -> None:
    demo.comparisons = []
    assert tables(demo) == []

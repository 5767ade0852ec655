import re
from dataclasses import replace
from typing import Any

import pytest

from omnibench.report.comparisons import metric_names, sentence
from omnibench.report.latex import to_latex
from omnibench.report.markdown import escape, to_markdown
from omnibench.report.result_tables import result_table
from omnibench.report.words import number, probability
from omnibench.report.write import tables_in_words
from tests.report.by_hand import Study


@pytest.mark.parametrize(
    ("fraction", "signed", "text"),
    [
        (0.123456, False, "12.35"),
        (0.123456, True, "+12.35"),
        (-0.001, True, "-0.10"),
        (-0.0, False, "0.00"),
        (-0.0, True, "+0.00"),
        (float("nan"), False, "undefined"),
        (float("inf"), True, "undefined"),
    ],
)
def test_points(fraction: float, signed: bool, text: str) -> None:
    assert number(fraction, signed=signed) == text


def test_other_units_are_printed_as_they_are() -> None:
    assert number(12.345, "pixels") == "12.35"
    assert number(-1, "pixels", signed=True) == "-1.00"
    assert number(float("nan"), "pixels") == "undefined"


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0023, "= .002"), (0.0009, "< .001"), (1.0, "= 1.000"), (float("nan"), "undefined")],
)
def test_probability(p: float, text: str) -> None:
    assert probability(p) == text


def test_escape() -> None:
    assert escape("a|b\\<c>*_`[x]$#~&\n d") == (r"a\|b\\\<c\>\*\_\`\[x\]\$\#\~\& d")


def test_structure(demo: Study) -> None:
    lines = to_markdown("demo", demo.tables(baseline="random-vit")).splitlines()
    assert lines[:9] == [
        "# demo",
        "",
        "## classification: auc",
        "",
        "| backbone | adaptation | d | e |",
        "| --- | --- | ---: | ---: |",
        "| random-vit | linear | <u>52.00</u> ± 2.00 | 60.00 ± 0.00 |",
        "| good | linear | **92.00** ± 2.65† | failed |",
        "| good | knn | 70.00 | \N{EN DASH} |",
    ]
    assert lines[9] == "| fair | linear | 81.00 ± 1.41 (2/3) | \N{EN DASH} |"


def test_a_pipe_in_a_name_breaks_no_row(study: Study) -> None:
    study.add("a|b", [0.5], "x|y\\").add("c", [0.6], "x|y\\")
    text = to_markdown("n|m", study.tables())
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows} == {4}


def test_sentences(demo: Study) -> None:
    demo.compare(
        "fair", dataset="e", test="none", difference=float("nan"), note="no auc of random-vit"
    )
    over_runs: Any = {"test_runs": "Welch's t", "p_runs": 0.04, "effect": 1.234}
    demo.compare("x", p=0.2, p_corrected=0.6, low=0, high=1, note="3 against 2", **over_runs)
    first, _, refused, noted = map(sentence, demo.comparisons)
    assert first == (
        "d, auc, linear: good - random-vit = +12.30 points [4.50, 20.10] for new images and runs, "
        "p = .001, Holm-corrected p = .002 over its family of 2: better."
    )
    assert refused == (
        "e, auc, linear: fair - random-vit = undefined, not tested: no auc of random-vit."
    )
    assert noted.endswith(
        "Holm-corrected p = .600 over its family of 2: undecided (3 against 2). On these test "
        "images over runs: Welch's t, p = .040, Hedges g 1.23."
    )
    text = tables_in_words(demo.reported([]))
    assert "## Significance\n\n- d, auc, linear: good - random-vit = +12.30 points" in text
    assert "nan" not in text


def test_a_metric_of_several_definitions_is_named_with_them(demo: Study) -> None:
    demo.compare("good", metric="hd95", difference=-1.5, low=-2, high=-1, p=0.1, p_corrected=0.1)
    first, second, third = demo.comparisons
    other = replace(first, definition="other")
    names = metric_names((c.definition, c.metric) for c in (first, second, third, other))
    assert names == {
        ("def", "auc"): "def/auc",
        ("other", "auc"): "other/auc",
        ("def", "hd95"): "hd95",
    }
    demo.comparisons = [first, other]
    text = tables_in_words(demo.reported([]))
    assert "- d, def/auc, linear: good" in text
    assert "- d, other/auc, linear: good" in text


def test_distances_are_in_pixels(study: Study) -> None:
    study.add("a", [12.3, 12.5], metric="hd95").add("b", [20.0, 22.0], metric="hd95")
    study.compare("a", "b", metric="hd95", difference=-8.6, low=-9, high=-8, p=0.5, p_corrected=0.5)
    scales = {"lower_is_better": {"def/hd95"}, "units": {"def/hd95": "pixels"}}
    results = study.results(baseline="b", **scales)
    text = tables_in_words(study.reported(results))
    assert "| a | linear | **12.40** ± 0.14 |" in text
    assert "hd95 in pixels (lower is better), mean" in text
    assert "a - b = -8.60 pixels \\[-9.00, -8.00\\]" in text
    assert r"\textbf{12.40} & 0.14" in to_latex("demo", map(result_table, results))


def test_nothing_at_all() -> None:
    assert to_markdown("demo", []) == "# demo\n\nThere is no result yet.\n"

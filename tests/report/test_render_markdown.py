import re

import pytest

from omnibench.report.build import as_comparisons
from omnibench.report.markdown import escape, to_markdown
from omnibench.report.numbers import points, probability
from omnibench.report.sentences import sentence


@pytest.mark.parametrize(
    ("fraction", "signed", "text"),
    [
        (0.123456, False, "12.35"),
        (0.123456, True, "+12.35"),
        (-0.001, True, "-0.10"),
        (float("nan"), False, "undefined"),
        (float("inf"), True, "undefined"),
    ],
)
def test_points(fraction, signed, text):
    assert points(fraction, signed) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0023, "= .002"), (0.0009, "< .001"), (1.0, "= 1.000"), (float("nan"), "undefined")],
)
def test_probability(p, text):
    assert probability(p) == text


def test_escape():
    assert escape("a|b\\<c>*_`[x]$#~&\n d") == (r"a\|b\\\<c\>\*\_\`\[x\]\$\#\~\& d")


def test_structure(demo):
    lines = to_markdown("demo", demo.tables(baseline="random-vit"), []).splitlines()
    assert lines[:9] == [
        "# demo",
        "",
        "## classification: auc",
        "",
        "| backbone | adaptation | d | e |",
        "| --- | --- | ---: | ---: |",
        "| random-vit | linear | 52.00 ± 2.00 | 60.00 ± 0.00 |",
        "| good | linear | **92.00** ± 2.65† | failed |",
        "| good | knn | 70.00 | - |",
    ]
    assert lines[9] == "| fair | linear | <u>81.00</u> ± 1.41 (2/3) | - |"


def test_a_pipe_in_a_name_breaks_no_row(study):
    study.add("a|b", [0.5], "x|y\\").add("c", [0.6], "x|y\\")
    text = to_markdown("n|m", study.tables(), [])
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows} == {4}


def test_sentences(demo):
    demo.compare(
        "fair", dataset="e", test="none", difference=float("nan"), note="no auc of random-vit"
    )
    demo.compare("x", p=0.2, p_corrected=0.6, low=0, high=1, effect=1.234, note="3 against 2")
    first, _, refused, noted = map(sentence, as_comparisons(demo.comparisons))
    assert first == (
        "d, auc, linear: good - random-vit = +12.30 points [4.50, 20.10], DeLong (mean of 3 "
        "repetitions) p = .001, Holm-corrected p = .002."
    )
    assert refused == (
        "e, auc, linear: fair - random-vit = undefined, not tested: no auc of random-vit."
    )
    assert noted.endswith("Holm-corrected p = .600, Hedges g 1.23 (3 against 2).")
    text = to_markdown("demo", [], as_comparisons(demo.comparisons))
    assert "## Significance\n\n- d, auc, linear: good - random-vit = +12.30 points" in text
    assert "nan" not in text


def test_nothing_at_all():
    assert to_markdown("demo", [], []) == "# demo\n\nThere is no result yet.\n"

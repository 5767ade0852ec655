r"""Headline numbers as commands: what they say, and that no name takes another's number over."""

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from omnibench.report.headlines import Headline, headlines, to_commands
from omnibench.report.results import Results
from omnibench.report.study import Study as Reported
from tests.report.by_hand import Study


def found(tables: list[Results]) -> list[Headline]:
    study = SimpleNamespace(primary={table.task: table for table in tables})
    return headlines(cast("Reported", study))


def commands(tables: list[Results]) -> tuple[dict[str, str], str]:
    text = to_commands("demo", found(tables), "holm")
    return dict(re.findall(r"^\\newcommand\{\\(\w+)\}\{(.*)\}$", text, re.MULTILINE)), text


def test_numbers_of_a_cell_and_its_comparison(demo: Study) -> None:
    values, _ = commands(demo.results(baseline="random-vit"))
    assert {name.removeprefix("obGoodLinearDAuc"): value for name, value in values.items()
            if name.startswith("obGoodLinearDAuc")} == {
        "Mean": "92.00",
        "Std": "2.65",
        "Difference": r"\ensuremath{+12.30}",
        "Low": "4.50",
        "High": "20.10",
        "P": r"\ensuremath{= .002}",
    }  # fmt: skip
    assert values["obFairLinearDAucLow"] == r"\ensuremath{-10.00}"
    assert values["obRandomVitLinearEAucMean"] == "60.00"
    assert "obRandomVitLinearEAucDifference" not in values  # the baseline itself


def test_what_has_no_number_says_so(demo: Study) -> None:
    values, _ = commands(demo.results(baseline="random-vit"))
    for kind in ("Mean", "Std", "Difference", "Low", "High", "P"):
        assert values[f"obGoodLinearEAuc{kind}"] == r"\textit{failed}"
    assert values["obGoodKnnDAucStd"] == r"\textit{one repetition}"
    assert values["obGoodKnnDAucP"] == r"\textit{not compared}"
    assert values["obFairLinearEAucMean"] == r"\textit{unplanned}"


def test_a_refused_test_keeps_its_difference(study: Study) -> None:
    study.add("random-vit", [0.5, 0.6]).add("good", [0.7, 0.9])
    study.compare("good", test="none", difference=0.25, note="other\nseeds")
    values, text = commands(study.results(baseline="random-vit"))
    assert values["obGoodLinearDAucDifference"] == r"\ensuremath{+25.00}"
    assert {values[f"obGoodLinearDAuc{kind}"] for kind in ("Low", "High", "P")} == {
        r"\textit{not tested}"
    }
    assert "% its difference from random-vit: other seeds; records " in text


def test_undefined_is_no_number(study: Study) -> None:
    study.add("a", [0.5, float("nan")])
    values, _ = commands(study.results())
    assert set(values.values()) == {r"\textit{undefined}"}


def test_comments_say_what_it_is_and_whose(demo: Study) -> None:
    _, text = commands(demo.results(baseline="random-vit"))
    lines = text.splitlines()
    above = lines[lines.index(r"\newcommand{\obGoodLinearDAucMean}{92.00}") - 1]
    rows = [row for row in demo.rows if (row["backbone"], row["adaptation"]) == ("good", "linear")]
    digests = " ".join(row["digest"][:8] for row in rows)
    assert above == (
        f"% good, linear, on d: classification auc (def) in points, n = 3 of 3; records {digests}"
    )
    against = next(line for line in lines if line.startswith("% its difference"))
    base = " ".join(r["digest"][:8] for r in demo.rows if r["backbone"] == "random-vit")[:26]
    assert against == (
        "% its difference from random-vit: for new images and runs, holm over 2: better; "
        f"records {base} of the baseline"
    )


def test_names_are_readable_letters(study: Study) -> None:
    study.add("efficientnet-lite0", [0.5, 0.6], "phantom", metric="macro-f1")
    study.add("DINOv2 %é\N{CJK UNIFIED IDEOGRAPH-4F60}", [0.5], "phantom", metric="macro-f1")
    values, text = commands(study.results())
    assert "obEfficientnetLiteZeroLinearPhantomMacroFOneMean" in values
    assert "obDINOvTwoELinearPhantomMacroFOneMean" in values
    assert text.isascii()


@pytest.mark.parametrize(
    "rivals", [("a-b", "a_b"), ("a_b", "a-b"), ("\N{CYRILLIC SMALL LETTER ZHE}", "%")]
)
def test_equal_names_are_kept_apart_whatever_their_order(
    study: Study, rivals: tuple[str, str]
) -> None:
    for value, name in enumerate(sorted(rivals)):
        study.add(name, [0.1 + value / 10])
    (table,) = study.results(backbones=rivals)
    text = to_commands("demo", found([table]), "holm")
    names = re.findall(r"newcommand\{\\(\w+)\}", text)
    assert len(set(names)) == len(names) == 4
    turned, _ = commands([replace(table, rows=table.rows[::-1])])
    assert turned == commands([table])[0]
    stem = "obAB" if rivals[0] != "\N{CYRILLIC SMALL LETTER ZHE}" else "ob"
    assert all(re.fullmatch(rf"{stem}LinearDAuc[A-Z][a-p]{{7}}(Mean|Std)", name) for name in names)


def test_published_rows_are_not_of_the_study(demo: Study) -> None:
    (table,) = demo.results(baseline="random-vit")
    shown = replace(table, rows=tuple(replace(row, published="cited") for row in table.rows))
    assert found([shown]) == []

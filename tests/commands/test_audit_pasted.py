"""`audit` on what people paste: what is compared, what is assumed, and what is refused."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from omnibench.cli import main

Audit = Callable[..., str]


@pytest.fixture
def audit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Audit:
    def call(text: str, *options: str, name: str = "paper.md", status: int = 0) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
        argv = ["omnibench", "audit", str(tmp_path / name), *options]
        monkeypatch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert (ended.value.code or 0) == status, captured.err
        assert captured.err.count("\n") == (1 if status else 0)
        return captured.err if status else captured.out

    return call


BENCHMARK = """| Model | Breast Acc | Organ Acc |
|---|---|---|
| ResNet | 80.1 ± 0.3 | 90.0 ± 0.2 |
| ViT | 81.2 ± 0.2 | 90.1 ± 0.2 |
| DINO | 82.0 ± 0.5 | 91.1 ± 0.1 |
"""
SINGLES = "model,BreastMNIST\nA,85.26\nB,80.77\nC,80.13\n"


def comparisons(text: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(text)["comparisons"]
    return rows


def test_a_paper_without_own_models_is_compared_in_all_pairs(audit: Audit) -> None:
    rows = comparisons(audit(BENCHMARK, "--n", "5", "--json"))
    welch = {(row["dataset"], row["a"], row["b"]): row for row in rows if row["test"] == "welch"}
    assert set(welch) == {
        (dataset, a, b)
        for dataset in ("Breast", "Organ")
        for a, b in (("DINO", "ViT"), ("DINO", "ResNet"), ("ViT", "ResNet"))
    }
    for (dataset, a, b), values in {
        ("Breast", "DINO", "ViT"): (82.0, 0.5, 81.2, 0.2),
        ("Organ", "ViT", "ResNet"): (90.1, 0.2, 90.0, 0.2),
    }.items():
        mean_a, std_a, mean_b, std_b = values
        expected = stats.ttest_ind_from_stats(mean_a, std_a, 5, mean_b, std_b, 5, equal_var=False)
        assert welch[dataset, a, b]["p"] == pytest.approx(expected.pvalue)
    assert "Holm over the 6 comparisons" in audit(BENCHMARK, "--n", "5")


def test_against_one_model_every_other_is_compared_with_it(audit: Audit) -> None:
    rows = comparisons(audit(BENCHMARK, "--n", "5", "--against", "ViT", "--json"))
    assert {(row["a"], row["b"]) for row in rows} == {("ResNet", "ViT"), ("DINO", "ViT")}
    assert "did you mean ViT" in audit(BENCHMARK, "--against", "Vit", status=2)


def test_own_models_by_glob_are_held_to_the_strongest_other(audit: Audit) -> None:
    rows = comparisons(audit(BENCHMARK, "--n", "5", "--own", "V*", "--json"))
    assert {(row["a"], row["b"]) for row in rows} == {("ViT", "DINO")}
    assert "--own: no model is called 'ours*'" in audit(BENCHMARK, "--own", "ours*", status=2)


def test_an_unknown_n_is_tried_and_said_to_be_assumed(audit: Audit) -> None:
    text = audit(BENCHMARK)
    assert "What if: n is not stated, each n here is assumed" in text
    assert "n=1  n=3" in text
    assert "if n = 1, nothing can be tested over runs" in text
    assert "stays on" not in text  # no verdict of an n that nobody states
    rows = comparisons(audit(BENCHMARK, "--json"))
    assert {row["n_is"] for row in rows} == {"assumed"}
    assert {row["n"] for row in rows} == {3, 5, 10}
    three = next(r for r in rows if (r["n"], r["a"], r["b"]) == (3, "DINO", "ViT"))
    expected = stats.ttest_ind_from_stats(82.0, 0.5, 3, 81.2, 0.2, 3, equal_var=False)
    assert three["p"] == pytest.approx(expected.pvalue)


def test_a_verdict_that_turns_within_the_rounding_is_open(audit: Audit) -> None:
    text = audit("| Model | D |\n|-|-|\n| A | 80.1 ± 0.3 |\n| B | 79.7 ± 0.2 |\n", "--n", "5")
    assert "leave open whether p after Holm is below .05 on D" in text
    assert ", open)" in text


def test_single_accuracies_are_counted_and_what_pairing_could_show_is_bounded(
    audit: Audit,
) -> None:
    options = ("--metric", "Acc", "--test-images", "156")
    result = json.loads(audit(SINGLES, *options, "--json", name="a.csv"))
    assert [(row["model"], row["k"]) for row in result["counts"]] == [
        ("A", [133, 133]),
        ("B", [126, 126]),
        ("C", [125, 125]),
    ]
    first = result["count_comparisons"][0]
    expected = stats.fisher_exact([[133, 23], [126, 30]]).pvalue
    assert first["fisher"] == pytest.approx([expected, expected])
    assert first["images_apart"] == [7, 7]
    assert first["mcnemar_exact"][0] == pytest.approx(2 * 0.5**7)
    assert first["mcnemar_mid"][0] == pytest.approx(0.5**7)
    discordant = 7 + 2 * 23  # b errs wherever a is right, as far as a's errors allow
    expected = 2 * stats.binom.cdf(23, discordant, 0.5)
    assert first["mcnemar_exact"][1] == pytest.approx(expected)
    text = audit(SINGLES, *options, name="a.csv")
    for words in ("Wilson", "Newcombe", "Fisher", "McNemar mid-p", "McNemar exact p"):
        assert words in text


def test_an_accuracy_that_is_no_count_is_refused_by_name(audit: Audit) -> None:
    options = ("--metric", "Acc", "--test-images", "BreastMNIST=156")
    text = audit(SINGLES.replace("80.13", "80.00"), *options, name="a.csv")
    assert "Refused: the accuracy 80.00 of C on BreastMNIST is no k of 156 images" in text


def test_a_table_that_supports_nothing_says_so_and_the_way_out(audit: Audit) -> None:
    text = audit(SINGLES, name="a.csv")
    assert "Nothing is compared" in text
    assert "--test-images" in text


@pytest.mark.parametrize(
    "text",
    [
        "model,D Acc\nA,.801\nB,79.9\n",
        "model,D Acc\nA,80.1%\nB,.799\n",
        "dataset,model,metric,mean,std,n,unit\nD,A,dice,.801,.01,5,\nD,B,dice,79.9,1,5,percent\n",
        "dataset,model,metric,mean,std,n,unit\nD,A,dice,.801,.01,5,percent\n"
        "D,B,dice,79.9,1.0,5,percent\n",
    ],
)
def test_fractions_beside_points_are_refused_with_both_rows(audit: Audit, text: str) -> None:
    message = audit(text, name="a.csv", status=2)
    assert "a.csv: lines 2 and 3" in message
    assert "of A" in message
    assert "of B" in message
    assert "write both in percent or both as fractions" in message


def test_two_declared_units_are_refused(audit: Audit) -> None:
    text = (
        "dataset,model,metric,mean,std,n,unit\nD,A,dice,.8,.1,5,fraction\nD,B,dice,79,1,5,percent\n"
    )
    message = audit(text, name="a.csv", status=2)
    assert "fraction and percent; write both in one unit" in message


def test_a_model_that_failed_is_no_fraction(audit: Audit) -> None:
    text = "dataset,model,metric,mean,std,n,unit\nD,A,dice,0.8,0.1,5,percent\n"
    rows = comparisons(audit(text + "D,B,dice,79.9,1.0,5,percent\n", "--json", name="a.csv"))
    assert rows[0]["difference"] == pytest.approx(79.1)
    distances = "| Model | Liver HD95 |\n|-|-|\n| A | 0.82 ± 0.1 |\n| B | 35.1 ± 2.0 |\n"
    assert comparisons(audit(distances, "--n", "5", "--json"))


def test_differences_of_fractions_have_four_decimals(audit: Audit) -> None:
    text = "| Model | D AUC |\n|-|-|\n| A | .801 ± .004 |\n| B | .795 ± .003 |\n"
    output = audit(text, "--n", "5")
    assert "+0.0060  [+0.0008, +0.0112]" in output
    assert "AUC without a unit is in fraction" in output


def test_intervals_are_not_taken_over_runs_unless_they_say_so(audit: Audit) -> None:
    text = "| Model | D AUC |\n|-|-|\n| A | .887 (.884-.890) |\n| B | .880 (.877-.883) |\n"
    (row,) = comparisons(audit(text, "--n", "5", "--json"))
    assert (row["test"], row["over"]) == ("normal", "images")
    error = 0.003 / stats.norm.ppf(0.975) * 2**0.5
    assert row["p"] == pytest.approx(2 * stats.norm.sf(0.007 / error))
    output = audit(text, "--n", "5")
    assert "does not say what it is over is not taken as over runs" in output
    assert "z takes the two numbers as independent" in output


def test_intervals_over_runs_are_students(audit: Audit) -> None:
    head = "dataset,model,metric,mean,ci_low,ci_high,ci_over,n\n"
    text = f"{head}D,A,dice,80.0,79.0,81.0,runs,5\nD,B,dice,78.0,77.0,79.0,runs,5\n"
    rows = comparisons(audit(text, "--json", name="a.csv"))
    std = 1.0 / stats.t.ppf(0.975, 4) * 5**0.5
    expected = stats.ttest_ind_from_stats(80, std, 5, 78, std, 5, equal_var=False).pvalue
    assert rows[0]["p"] == pytest.approx(expected)
    mixed = text.replace("77.0,79.0,runs", "77.0,79.0,images")
    assert "the spread of A is over runs, that of B over images" in audit(mixed, name="a.csv")


def test_standard_errors_are_shares_of_the_std(audit: Audit) -> None:
    text = "| Model | D |\n|-|-|\n| A | 80.1 ± 0.3 |\n| B | 79.0 ± 0.2 |\n"
    rows = comparisons(audit(text, "--n", "5", "--spread", "se", "--json"))
    stds = 0.3 * 5**0.5, 0.2 * 5**0.5
    expected = stats.ttest_ind_from_stats(80.1, stds[0], 5, 79.0, stds[1], 5, equal_var=False)
    assert rows[0]["p"] == pytest.approx(expected.pvalue)


def test_a_spread_of_one_run_is_named_and_not_used(audit: Audit) -> None:
    text = "dataset,model,role,metric,mean,std,n\nD,A,own,dice,80.1,0.4,1\nD,B,rerun,dice,79,.3,5\n"
    output = audit(text, name="a.csv")
    assert "n = 1 is claimed with a spread for A on D (line 2)" in output
    rows = comparisons(audit(text, "--json", name="a.csv"))
    assert [row["test"] for row in rows] == ["one-sample", "prediction"]


def test_nothing_in_a_name_acts_on_the_terminal(audit: Audit) -> None:
    output = audit(BENCHMARK.replace("DINO", "\x1b[31mDI\u202eNO"), "--n", "5")
    assert "\x1b" not in output
    assert "\u202e" not in output
    message = audit(BENCHMARK.replace("82.0", "\x1b[31m82.0"), status=2)
    assert "\x1b" not in message


def test_too_many_pairs_are_refused_with_the_way_out(audit: Audit) -> None:
    lines = [
        f"m{i}," + ",".join(f"{60 + (7 * i + k) % 30}.1" for k in range(50)) for i in range(200)
    ]
    text = "\n".join(["model," + ",".join(f"d{k}" for k in range(50)), *lines])
    message = audit(text, name="a.csv", status=2)
    assert "200 models make 995000 pairs" in message
    assert "--against" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--n", "0"), "--n: 0 is not a whole number from 1"),
        (("--unit", "points"), "--unit: 'points' is not one of percent, fraction"),
        (("--spread", "sd"), "--spread: 'sd' is not one of std, se, ci"),
        (("--test-images", "many"), "--test-images: 'many' is neither a whole number"),
        (("--test-images", "Breat=156"), "there is no dataset 'Breat'; did you mean Breast?"),
        (("--test-images", "5", "--test-images", "6"), "--test-images: all is given as two"),
    ],
)
def test_options_that_are_wrong_are_named(
    audit: Audit, options: tuple[str, ...], message: str
) -> None:
    assert message in audit(BENCHMARK, *options, status=2)


def test_an_option_that_changes_nothing_is_named(audit: Audit) -> None:
    text = "| Model | D Acc (%) |\n|-|-|\n| A | 80.1 |\n| B | 79.0 |\n"
    output = audit(text, "--metric", "AUC", "--unit", "fraction", "--spread", "se")
    for option in ("--metric", "--unit", "--spread"):
        assert f"{option} changes nothing" in output
    assert "--n changes nothing" not in output

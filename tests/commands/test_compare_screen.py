"""The one screen of `compare`: effect, equivalence, new images and runs, overall, conclusion."""

import json

import pytest
from trained_records import write_suite

CONTRACT = {
    *("task", "dataset", "adaptation", "metric", "n_a", "n_b", "mean_a", "mean_b", "difference"),
    *("low", "high", "test", "p", "p_corrected", "effect"),
}


def table(out):
    """The rows of the table, by metric, as a list of cells each."""
    lines = [line for line in out.splitlines() if line.startswith("classification  ")]
    return {
        cells[3]: cells for cells in ([c.strip() for c in line.split("  ") if c] for line in lines)
    }


def test_a_clear_lead_is_one_screen_and_one_sentence(bench, tmp_path):
    write_suite(tmp_path, {"base": 1.0, "good": 3.0})
    status, out, _ = bench("compare", "good", "base", "--margin", "2")
    assert status == 0
    row = table(out)["macro-f1"]
    assert "paired t" in row
    assert row[-3] == "1.00"
    assert row[-1] == "not shown"  # far apart is not equivalent
    low, high = (float(bound) for bound in row[-2].strip("[]").split(", "))
    assert 0 < low < high
    assert "by the hierarchical bootstrap over cases and repetitions" in out
    assert "a run of good beats one of base with probability 1.00 [1.00, 1.00]" in out
    last = out.splitlines()[-1]
    assert last.startswith("Conclusion: good is better than base: good is better in 3, worse in 0")
    assert "equivalent within 2 points in 0" in last


def test_a_mixed_precision_is_named_and_the_comparison_goes_on(bench, tmp_path):
    """In `compare`, and in the captions of the report's tables."""
    precisions = (("base", "fp32"), ("good", "bf16"))
    suite = write_suite(tmp_path, {"base": 1.0, "good": 3.0}, precisions=precisions)
    words = "precision is mixed, which is part of a difference (full: good in bf16, base in fp32)"
    status, out, _ = bench("compare", "good", "base", "--adaptations", "full")
    assert status == 0
    assert out.startswith(f"classification, phantom: {words}\n")
    assert "paired t" in table(out)["macro-f1"]
    assert words in bench("report", suite)[1].replace("\\", "")


def test_without_a_margin_nothing_is_called_equivalent(bench, tmp_path):
    write_suite(tmp_path, {"base": 2.0, "same": 2.0}, jitter=0.02)
    _, out, _ = bench("compare", "same", "base")
    assert "equivalent" not in out
    _, out, _ = bench("compare", "same", "base", "--margin", "30")
    assert "Conclusion: same matches base" in out
    assert table(out)["auc"][-1] == "shown"


def test_the_margin_is_told_in_words_and_leaves_the_json_alone(bench, tmp_path):
    write_suite(tmp_path, {"base": 1.0, "good": 2.0})
    plain = json.loads(bench("compare", "good", "base", "--json")[1])
    asked = json.loads(bench("compare", "good", "base", "--margin", "1", "--json")[1])
    assert plain == asked
    assert set(plain) == {"a", "b", "rows", "overall"}
    assert all(row.keys() >= CONTRACT for row in plain["rows"])
    assert {row["test"] for row in plain["rows"]} == {"paired t"}


def test_a_frozen_probe_has_both_intervals_and_no_seed_effect(bench, tmp_path):
    write_suite(tmp_path, {"base": 1.0, "good": 1.4}, "linear", jitter=0.01)
    _, out, _ = bench("compare", "good", "base", "--margin", "1")
    row = table(out)["macro-f1"]
    assert any("paired bootstrap (mean of 4 repetitions)" in cell for cell in row)
    assert row[-4] == "-"  # Hedges g
    assert 0.5 < float(row[-3]) <= 1  # probability that a run is better
    assert row[-2].startswith("[")
    assert table(out)["auc"][-2] == "-"


def test_one_cell_each_is_mcnemar_and_tells_nothing_of_new_runs(bench, tmp_path):
    write_suite(tmp_path, {"base": 1.0, "good": 2.0}, "knn")
    _, out, _ = bench("compare", "good", "base")
    assert any("McNemar" in cell for cell in table(out)["accuracy"])
    assert "hierarchical" not in out
    assert "probability of improvement not told: no dataset has two repetitions of each" in out


@pytest.mark.parametrize("margin", ["0", "-1", "nan", "inf"])
def test_a_margin_is_a_number_of_points_above_0(bench, tmp_path, margin):
    write_suite(tmp_path, {"base": 1.0, "good": 2.0})
    status, out, err = bench("compare", "good", "base", "--margin", margin)
    assert (status, out) == (2, "")
    assert "is not a number of points above 0" in err

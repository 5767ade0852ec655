"""The one screen of `compare`: effect, equivalence, new images and runs, overall, conclusion."""

import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from omnibench.commands.compare_screen import (
    conclusion,
    improvement_words,
    over_datasets_words,
)
from omnibench.stats.cases import Stored
from omnibench.stats.compare import compare_pairs
from omnibench.stats.details import Detail, details
from omnibench.stats.units import COLUMNS
from tests.commands.trained_records import write_suite
from tests.conftest import Bench

CONTRACT = {
    *("task", "dataset", "adaptation", "metric", "n_a", "n_b", "mean_a", "mean_b", "difference"),
    *("low", "high", "test", "p", "p_corrected", "effect"),
}


def table(out: str) -> dict[str, list[str]]:
    """The rows of the table, by metric, as a list of cells each."""
    lines = [line for line in out.splitlines() if line.startswith("classification  ")]
    return {
        cells[3]: cells for cells in ([c.strip() for c in line.split("  ") if c] for line in lines)
    }


def test_a_clear_lead_is_one_screen_and_one_sentence(bench: Bench, tmp_path: Path) -> None:
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


def test_a_mixed_precision_is_named_and_the_comparison_goes_on(
    bench: Bench, tmp_path: Path
) -> None:
    """In `compare`, and in the captions of the report's tables."""
    precisions = (("base", "fp32"), ("good", "bf16"))
    suite = write_suite(tmp_path, {"base": 1.0, "good": 3.0}, precisions=precisions)
    words = "precision is mixed, which is part of a difference (full: good in bf16, base in fp32)"
    status, out, _ = bench("compare", "good", "base", "--adaptations", "full")
    assert status == 0
    assert out.startswith(f"classification, phantom: {words}\n")
    assert "paired t" in table(out)["macro-f1"]
    assert words in bench("report", suite)[1].replace("\\", "")


def test_without_a_margin_nothing_is_called_equivalent(bench: Bench, tmp_path: Path) -> None:
    write_suite(tmp_path, {"base": 2.0, "same": 2.0}, jitter=0.02)
    _, out, _ = bench("compare", "same", "base")
    assert "equivalent" not in out
    _, out, _ = bench("compare", "same", "base", "--margin", "30")
    assert "Conclusion: same matches base" in out
    assert table(out)["auc"][-1] == "shown"


def test_the_margin_is_told_in_words_and_leaves_the_json_alone(
    bench: Bench, tmp_path: Path
) -> None:
    write_suite(tmp_path, {"base": 1.0, "good": 2.0})
    plain = json.loads(bench("compare", "good", "base", "--json")[1])
    asked = json.loads(bench("compare", "good", "base", "--margin", "1", "--json")[1])
    assert plain == asked
    assert set(plain) == {"a", "b", "rows", "overall"}
    assert all(row.keys() >= CONTRACT for row in plain["rows"])
    assert {row["test"] for row in plain["rows"]} == {"paired t"}


def test_a_frozen_probe_has_both_intervals_and_no_seed_effect(bench: Bench, tmp_path: Path) -> None:
    write_suite(tmp_path, {"base": 1.0, "good": 1.4}, "linear", jitter=0.01)
    _, out, _ = bench("compare", "good", "base", "--margin", "1")
    row = table(out)["macro-f1"]
    assert any("paired bootstrap (mean of 4 repetitions)" in cell for cell in row)
    assert row[-4] == "-"  # Hedges g
    assert 0.5 < float(row[-3]) <= 1  # probability that a run is better
    assert row[-2].startswith("[")
    assert table(out)["auc"][-2] == "-"


def test_one_cell_each_is_mcnemar_and_tells_nothing_of_new_runs(
    bench: Bench, tmp_path: Path
) -> None:
    write_suite(tmp_path, {"base": 1.0, "good": 2.0}, "knn")
    _, out, _ = bench("compare", "good", "base")
    assert any("McNemar" in cell for cell in table(out)["accuracy"])
    assert "hierarchical" not in out
    assert "probability of improvement not told: no dataset has two repetitions of each" in out


@pytest.mark.parametrize("margin", ["0", "-1", "nan", "inf"])
def test_a_margin_is_a_number_of_points_above_0(bench: Bench, tmp_path: Path, margin: str) -> None:
    write_suite(tmp_path, {"base": 1.0, "good": 2.0})
    status, out, err = bench("compare", "good", "base", "--margin", margin)
    assert (status, out) == (2, "")
    assert "is not a number of points above 0" in err


def nothing(digest: str) -> Stored:
    raise AssertionError("no predictions are needed here")


def long_table(
    scores: dict[Any, Any], varies: str = "training seed", metric: str = "auc", shared: bool = True
) -> pd.DataFrame:
    """Rows of {dataset: {backbone: values}}."""
    rows = []
    for dataset, models in scores.items():
        for name, values in models.items():
            for k, value in enumerate(values):
                pairing = f"{k}" if shared else f"{name}{k}"
                place = ("classification", dataset, name, "full", k, "def", metric)
                rows.append((*place, value, f"{dataset}{name}{k}", pairing, varies, False))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def found(
    values: pd.DataFrame, margin: float | None = None, lower: Collection[str] = ()
) -> tuple[Any, Any]:
    comparisons = compare_pairs(values, nothing, [("a", "b")])
    return comparisons, details(
        values, comparisons, {} if margin is None else {("def", "auc"): margin}, lower
    )


FAR = {"a": [0.90, 0.91, 0.905, 0.902], "b": [0.80, 0.812, 0.804, 0.801]}
SAME = {"a": [0.900, 0.901, 0.902, 0.903], "b": [0.9002, 0.9009, 0.9021, 0.9029]}
NOISY = {"a": [0.90, 0.80, 0.95, 0.85], "b": [0.85, 0.90, 0.80, 0.93]}
ONCE = {"a": [0.9], "b": [0.8]}


@pytest.mark.parametrize("shared", [True, False])
def test_verdicts(shared: bool) -> None:
    values = long_table({"far": FAR, "same": SAME, "noisy": NOISY, "once": ONCE}, shared=shared)
    comparisons, all_of_them = found(values, 0.005)
    datasets = [row.dataset for row in comparisons]
    by_dataset = dict(zip(datasets, all_of_them, strict=True))
    verdicts = {name: detail.verdict for name, detail in by_dataset.items()}
    assert verdicts == {
        "far": "better", "same": "equivalent", "noisy": "open", "once": "untested",
    }  # fmt: skip
    far = by_dataset["far"].effect
    assert far.low < far.g < far.high
    assert far.unit == ("SD of the differences" if shared else "pooled SD")
    assert comparisons[datasets.index("far")].effect == pytest.approx(far.g)
    assert by_dataset["far"].equivalent is False
    assert by_dataset["far"].chance == 1
    expected = stats.mannwhitneyu(NOISY["a"], NOISY["b"]).statistic / 16
    assert by_dataset["noisy"].chance == pytest.approx(expected)
    assert by_dataset["once"].chance is None
    assert found(values)[1][1].verdict == "open"  # no margin, no claim
    assert (
        found(long_table({"far": FAR}, metric="hd95"), 0.5, {"def/hd95"})[1][0].verdict == "worse"
    )


def of(**counts: Any) -> list[Any]:
    return [Detail(None, None, verdict) for verdict, n in counts.items() for _ in range(n)]


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        ({"better": 2}, "a is better than b: a is better in 2, worse in 0"),
        ({"worse": 1, "open": 1}, "b is better than a in part: a is better in 0, worse in 1"),
        ({"better": 1, "worse": 1}, "neither of a and b is better throughout"),
        ({"equivalent": 3}, "a matches b: "),
        ({"open": 1, "equivalent": 1}, "these records do not tell a and b apart"),
        ({"open": 1, "untested": 2}, "1 of 1 comparisons (5 % level, differences"),
        ({"untested": 2}, "none of 2 comparisons of a with b could be tested"),
    ],
)
def test_one_sentence_leaves_nothing_out(verdicts: dict[str, int], words: str) -> None:
    text = conclusion("a", "b", of(**verdicts), 0.5)
    assert words in text
    assert text.startswith("Conclusion: ")
    assert text.endswith(".")
    assert "equivalent" not in conclusion("a", "b", of(open=1), None)


def test_improvement_is_told_with_its_interval_or_why_not() -> None:
    values = long_table({"far": FAR, "once": ONCE})
    comparisons, _ = found(values)
    text = improvement_words("a", "b", values, comparisons, False)
    assert text == "a run of a beats one of b with probability 1.00 [1.00, 1.00] over 1 datasets"
    assert "probability 0.00" in improvement_words("a", "b", values, comparisons, True)
    alone = long_table({"once": ONCE})
    text = improvement_words("a", "b", alone, found(alone)[0], False)
    assert text == "probability of improvement not told: no dataset has two repetitions of each"


def test_undefined_values_are_untested_not_averaged() -> None:
    values = long_table({"d": {"a": [0.9, np.nan, 0.8], "b": [0.7, 0.8, 0.75]}})
    comparisons, (only,) = found(values, 0.5)
    assert only.verdict == "untested"
    assert "not told" in improvement_words("a", "b", values, comparisons, False)


def test_wilcoxon_over_datasets_or_its_floor() -> None:
    scores = {f"d{k}": {"a": [0.9, 0.91 + k / 50], "b": [0.8, 0.82]} for k in range(7)}
    comparisons, _ = found(long_table(scores))
    p = stats.wilcoxon([row.difference for row in comparisons], method="exact").pvalue
    assert over_datasets_words(comparisons) == f"over datasets Wilcoxon p = {p:.3f}".replace(
        "0.", "."
    )
    assert "5 pairs that differ cannot reach p < 0.05" in over_datasets_words(comparisons[:5])
    assert over_datasets_words(comparisons[:1]) == ""


def test_a_dataset_whose_own_test_is_refused_still_counts_over_datasets() -> None:
    values = long_table({"far": FAR, "once": ONCE})
    refused = {"test": "none", "p": np.nan, "note": "refused"}
    comparisons = [
        replace(row, **refused) if row.dataset == "far" else row for row in found(values)[0]
    ]
    assert "over 1 datasets" in improvement_words("a", "b", values, comparisons, False)
    assert "over datasets" in over_datasets_words(comparisons)

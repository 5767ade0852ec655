"""The one screen of `compare`: two questions, one verdict, whose family, the conclusion."""

import json
import shutil
from collections.abc import Collection
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
from omnibench.errors import StoreError
from omnibench.stats.across import Overall
from omnibench.stats.cases import Stored
from omnibench.stats.compare import Rules, compare_pairs
from omnibench.stats.details import details
from omnibench.stats.pair import Comparison, Verdict
from omnibench.stats.units import COLUMNS
from tests.commands.trained_records import write_suite
from tests.conftest import Bench

CONTRACT = {
    *("task", "dataset", "adaptation", "metric", "n_a", "n_b", "mean_a", "mean_b", "difference"),
    *("low", "high", "test", "p", "p_corrected", "verdict", "p_runs", "effect"),
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
    assert row[-1] == "1.00"
    assert ("better" in row, "not shown" in row) == (True, True)  # far apart is not equivalent
    low, high = (float(bound) for bound in row[-2].partition("[")[2].strip("]").split(", "))
    assert 0 < low < high
    assert "for new images and runs; over runs" in out
    assert "The family of each p is good and base alone, so nothing is corrected" in out
    assert out.splitlines()[-1] == (
        "Conclusion (new images and runs, 5 % level): good is better than base in classification "
        "with full on phantom."
    )


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
    assert bench("report", suite)[0] == 0
    (report,) = tmp_path.rglob("reports/trained/trained.md")
    assert words in report.read_text().replace("\\", "")


def test_without_a_margin_nothing_is_called_equivalent(bench: Bench, tmp_path: Path) -> None:
    write_suite(tmp_path, {"base": 2.0, "same": 2.0}, jitter=0.02)
    _, out, _ = bench("compare", "same", "base")
    assert "equivalent" not in out
    _, out, _ = bench("compare", "same", "base", "--margin", "30")
    assert "same matches base within the margin in classification with full on phantom" in out
    assert "shown" in table(out)["macro-f1"]
    assert "shown" not in table(out)["auc"]  # the margin is of the primary metric


def test_the_margin_adds_equivalence_and_leaves_the_other_numbers_alone(
    bench: Bench, tmp_path: Path
) -> None:
    write_suite(tmp_path, {"base": 1.0, "good": 2.0})
    plain = json.loads(bench("compare", "good", "base", "--json")[1])
    asked = json.loads(bench("compare", "good", "base", "--margin", "1", "--json")[1])
    assert [row.pop("equivalent") for row in plain["rows"]] == [None] * 3
    assert False in [row.pop("equivalent") for row in asked["rows"]]
    assert plain == asked
    assert set(plain) == {"a", "b", "suite", "rows", "overall"}
    assert all(row.keys() >= CONTRACT for row in plain["rows"])
    assert {row["test"] for row in plain["rows"]} == {"new images and runs"}
    assert {row["test_runs"] for row in plain["rows"]} == {"paired t"}


def test_what_is_over_head_seeds_is_labelled_wherever_it_stands(
    bench: Bench, tmp_path: Path
) -> None:
    write_suite(tmp_path, {"base": 1.0, "good": 1.4}, "linear", jitter=0.01)
    _, out, _ = bench("compare", "good", "base", "--margin", "1")
    row = table(out)["macro-f1"]
    assert "paired t (head seed only)" in row
    assert 0.5 < float(row[-1]) <= 1  # probability that a run is better


def test_one_cell_each_tells_nothing_of_new_runs(bench: Bench, tmp_path: Path) -> None:
    write_suite(tmp_path, {"base": 1.0, "good": 2.0}, "knn")
    _, out, _ = bench("compare", "good", "base")
    rows = json.loads(bench("compare", "good", "base", "--json")[1])["rows"]
    assert {(row["test"], row["test_runs"]) for row in rows} == {("new images", "none")}
    assert table(out)["accuracy"][-3:] == ["-", "-", "-"]


def test_p_of_a_suite_is_the_reports_whatever_is_filtered(bench: Bench, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, {"base": 1.0, "good": 1.3, "poor": 0.8, "same": 1.0})
    bench("report", suite)
    [path] = (tmp_path / "results" / "reports").glob("*/trained.csv")
    printed = pd.read_csv(path)
    rows_of_good = printed[(printed["backbone"] == "good") & (printed["metric"] == "macro-f1")]
    [shown] = rows_of_good[rows_of_good["definition"] == "omnirad-classification"].to_dict(
        "records"
    )
    assert shown["family"] == 3
    for filters in ((), ("--tasks", "classification"), ("--metric", "macro-f1")):
        for order, sign in (("good", "base"), 1), (("base", "good"), -1):
            command = ("compare", *order, "--suite", suite, *filters, "--json")
            rows = json.loads(bench(*command)[1])["rows"]
            [row] = [
                row
                for row in rows
                if (row["definition"], row["metric"]) == ("omnirad-classification", "macro-f1")
            ]
            for name in ("p", "p_corrected", "family", "p_runs"):
                assert row[name] == pytest.approx(shown[name])
            assert row["difference"] == pytest.approx(sign * shown["difference"])
    alone = json.loads(bench("compare", "good", "base", "--json")[1])["rows"][0]
    assert (alone["p_corrected"], alone["family"]) == (alone["p"], 1)
    assert alone["p"] == pytest.approx(shown["p"])
    _, out, _ = bench("compare", "good", "base", "--suite", suite)
    assert "its backbones compared with base in the primary metric" in out


def test_what_one_of_the_two_has_not_finished_is_named(bench: Bench, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, {"base": 1.0, "good": 1.3}, "linear, full")
    [folder] = (tmp_path / "results" / "records").glob("*/*/good/full")
    shutil.rmtree(folder)
    status, out, _ = bench("compare", "good", "base", "--suite", suite)
    assert status == 0
    assert ", full, macro-f1: no macro-f1 of good" in out
    assert "good and base could not be tested in classification with full" in out
    status, _, err = bench("compare", "good", "base", "--suite", suite, "--adaptations", "full")
    assert status == 2
    assert "that both good and base have finished" in err


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (("good", "same"), "compares with its baseline (base), which is neither good nor same"),
        (("godo", "base"), "has no backbone 'godo'; did you mean good?"),
    ],
)
def test_what_is_no_comparison_of_the_suite_is_refused(
    bench: Bench, tmp_path: Path, pair: tuple[str, str], words: str
) -> None:
    suite = write_suite(tmp_path, {"base": 1.0, "good": 2.0, "same": 1.0})
    status, out, err = bench("compare", *pair, "--suite", suite)
    assert (status, out) == (2, "")
    assert words in err


@pytest.mark.parametrize("margin", ["0", "-1", "nan", "inf"])
def test_a_margin_is_a_number_of_points_above_0(bench: Bench, tmp_path: Path, margin: str) -> None:
    write_suite(tmp_path, {"base": 1.0, "good": 2.0})
    status, out, err = bench("compare", "good", "base", "--margin", margin)
    assert (status, out) == (2, "")
    assert "is not a number of points above 0" in err


def nothing(digest: str) -> Stored:
    raise StoreError("there are none")


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


def compared(values: pd.DataFrame, lower: Collection[str] = ()) -> list[Comparison]:
    return compare_pairs(values, nothing, [("a", "b")], Rules(lower_is_better=lower))


FAR = {"a": [0.90, 0.91, 0.905, 0.902], "b": [0.80, 0.812, 0.804, 0.801]}
NOISY = {"a": [0.90, 0.80, 0.95, 0.85], "b": [0.85, 0.90, 0.80, 0.93]}
ONCE = {"a": [0.9], "b": [0.8]}


@pytest.mark.parametrize("shared", [True, False])
def test_effect_and_chance_are_over_runs(shared: bool) -> None:
    values = long_table({"far": FAR, "noisy": NOISY, "once": ONCE}, shared=shared)
    comparisons = compared(values)
    far, noisy, once = details(values, comparisons, Rules())
    assert far.effect is not None
    assert far.effect.low < far.effect.g < far.effect.high
    assert far.effect.unit == ("SD of the differences" if shared else "pooled SD")
    assert comparisons[0].effect == pytest.approx(far.effect.g)
    assert far.chance == 1
    assert noisy.chance == pytest.approx(stats.mannwhitneyu(*NOISY.values()).statistic / 16)
    assert (once.effect, once.chance) == (None, None)
    table = long_table({"far": FAR})
    (turned,) = details(table, comparisons[:1], Rules(lower_is_better={"def/auc"}))
    assert turned.chance == 0
    (neither,) = details(table, comparisons[:1], Rules(undirected={"def/auc"}))
    assert neither.chance is None


def row(dataset: str, verdict: Verdict, adaptation: str = "full", primary: bool = True) -> Any:
    return Comparison(
        *("classification", dataset, adaptation, "def", "auc", "a", "b", 3, 3, 0.9, 0.8, 0.1),
        verdict=verdict,
        primary=primary,
    )


def total(rows: list[Comparison], p: float, verdict: Verdict) -> Overall:
    first = rows[0]
    place = (first.task, first.adaptation, first.definition, first.metric, "a", "b")
    return Overall(*place, len(rows), 0, 0.1, len(rows), 0, p=p, verdict=verdict)


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("better", "a is better than b in classification with full on d."),
        ("worse", "a is worse than b in classification with full on d."),
        ("equivalent", "a matches b within the margin in"),
        ("undecided", "a and b are not told apart (undecided) in"),
        ("identical", "a and b are identical, patient by patient, in"),
        ("untested", "a and b could not be tested in"),
    ],
)
def test_one_sentence_for_one_dataset(verdict: Verdict, words: str) -> None:
    rows = [row("d", verdict)]
    text = conclusion("a", "b", rows, [total(rows, np.nan, "untested")])
    assert words in text
    assert text.startswith("Conclusion (new images and runs, 5 % level): ")


def test_several_datasets_are_one_verdict_and_other_metrics_none() -> None:
    rows = [row("one", "better"), row("two", "undecided")]
    other = [row("one", "worse", "lora")]
    text = conclusion(
        "a", "b", [*rows, *other], [total(rows, 0.2, "undecided"), total(other, np.nan, "untested")]
    )
    assert "not told apart (undecided) in classification with full on average over 2 datas" in text
    assert "a is worse than b in classification with lora on one" in text
    assert "better" not in text
    secondary = [row("one", "described", primary=False)]
    text = conclusion("a", "b", secondary, [total(secondary, 0.01, "described")])
    assert "none, as no primary metric is among these" in text


def test_improvement_is_told_with_its_interval_or_why_not() -> None:
    values = long_table({"far": FAR, "once": ONCE})
    text = improvement_words("a", "b", values, compared(values), False)
    assert text == (
        "on these test images a run of a beats one of b with probability 1.00 [1.00, 1.00] over 1 "
        "dataset"
    )
    assert "probability 0.00" in improvement_words("a", "b", values, compared(values), True)
    frozen = long_table({"far": FAR}, varies="head seed")
    assert "b (head seed only) with" in improvement_words("a", "b", frozen, compared(frozen), True)
    alone = long_table({"once": ONCE})
    text = improvement_words("a", "b", alone, compared(alone), False)
    assert text == "probability of improvement not told: no dataset has two repetitions of each"


def test_undefined_values_are_untested_not_averaged() -> None:
    values = long_table({"d": {"a": [0.9, np.nan, 0.8], "b": [0.7, 0.8, 0.75]}})
    [only] = compared(values)
    assert only.verdict == "untested"
    assert "not told" in improvement_words("a", "b", values, [only], False)


def test_wilcoxon_over_datasets_or_its_floor() -> None:
    scores = {f"d{k}": {"a": [0.9, 0.91 + k / 50], "b": [0.8, 0.82]} for k in range(7)}
    comparisons = compared(long_table(scores))
    p = stats.wilcoxon([row.difference for row in comparisons], method="exact").pvalue
    words = over_datasets_words(comparisons)
    assert words == f"datasets as the sample: Wilcoxon p = {p:.3f}".replace("0.", ".")
    assert "5 pairs that differ cannot reach p < 0.05" in over_datasets_words(comparisons[:5])
    assert over_datasets_words(comparisons[:1]) == ""


def test_the_margin_of_a_suite_is_that_of_its_report(bench: Bench, tmp_path: Path) -> None:
    report = "baseline: base, equivalence_margin: 20"
    path = write_suite(tmp_path, {"base": 2.0, "near": 2.0}, report=report, jitter=0.01)
    _, out, _ = bench("compare", "near", "base", "--suite", path)
    row = table(out)["macro-f1"]
    assert ("equivalent" in row, "shown" in row) == (True, True)
    assert "near matches base within the margin in" in out
    narrow = bench("compare", "near", "base", "--suite", path, "--margin", "0.1")[1]
    assert "near and base are not told apart (undecided) in" in narrow


def test_single_repetitions_are_for_new_images_alone(bench: Bench, tmp_path: Path) -> None:
    path = write_suite(tmp_path, {"base": 1.0, "good": 2.0}, adaptations="knn")
    out = bench("compare", "good", "base", "--suite", path)[1]
    assert "p and verdict: for new images; over runs" in out

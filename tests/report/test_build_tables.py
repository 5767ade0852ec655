from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from omnibench.errors import StoreError
from omnibench.report.build import Verdicts, build_results
from omnibench.report.captions import caption
from omnibench.report.latex import to_latex
from omnibench.report.layout import laid_out
from omnibench.report.markdown import to_markdown
from omnibench.report.result_tables import result_table
from omnibench.report.results import Result
from omnibench.report.write import tables_in_words
from omnibench.stats.compare import compare_pairs
from tests.report.by_hand import RULES, Study, in_full


def cell(table: Any, backbone: str, dataset: str = "d", adaptation: str = "linear") -> Result:
    (actual,) = [
        cell
        for column, row, cell in table.cells
        if (column, row.backbone, row.adaptation) == (dataset, backbone, adaptation)
    ]
    result: Result = actual
    return result


def test_cells_hold_mean_sample_deviation_and_n(demo: Study) -> None:
    (table,) = demo.results(baseline="random-vit")
    good: Any = cell(table, "good")
    assert good.mean == pytest.approx(0.92)
    assert good.std == pytest.approx(np.std([0.9, 0.91, 0.95], ddof=1))
    assert (good.n, good.expected, good.partial) == (3, 3, False)
    assert len(good.digests) == 3
    knn: Any = cell(table, "good", adaptation="knn")
    assert (knn.n, knn.std) == (1, None)


def test_absent_cells_say_why(demo: Study) -> None:
    (table,) = demo.results(baseline="random-vit")
    assert cell(table, "good", "e").state == "failed"
    assert cell(table, "fair", "e").state == "unplanned"
    assert cell(table, "good", "e", "knn").state == "unplanned"
    fair: Any = cell(table, "fair")
    assert (fair.state, fair.n, fair.expected, fair.partial) == ("done", 2, 3, True)


def test_without_a_plan_what_has_no_record_is_missing(study: Study) -> None:
    study.add("a", [0.5]).add("a", [0.5], dataset="e").add("b", [0.6])
    (table,) = study.results()
    assert cell(table, "b", "e").state == "missing"


def test_undefined_is_never_averaged_over(study: Study) -> None:
    (table,) = study.add("a", [0.5, np.nan, 0.7]).add("b", [0.4] * 3).results()
    assert cell(table, "a").state == "undefined"
    assert np.isnan(cell(table, "a").mean)
    assert cell(table, "b").rank == 0  # alone in its column: best of nothing


@pytest.mark.parametrize(
    ("metric", "ranks"), [("auc", [0, 1, 1, 2, 2]), ("brier", [1, 0, 0, 2, 2])]
)
def test_best_and_second_with_ties_and_direction(
    study: Study, metric: str, ranks: list[int]
) -> None:
    # .1 + .2 and .3 are one number to a reader, .30001 is another though it prints the same.
    for name, value in zip("abcde", (0.2, 0.30001, 0.30001, 0.1 + 0.2, 0.3), strict=True):
        study.add(name, [value], metric=metric)
    (table,) = study.results(lower_is_better={"def/brier"})
    assert [cell.rank for _, _, cell in table.cells] == ranks
    assert table.lower_is_better == {metric} & {"brier"}


def test_a_metric_without_a_direction_ranks_nothing_and_says_so(study: Study) -> None:
    for name, value in (("a", 0.1), ("b", 0.3)):
        study.add(name, [value], metric="bias").add(name, [value])
    auc, bias = (study.results(undirected={"def/bias"})[k] for k in (1, 0))
    assert [cell.rank for _, _, cell in bias.cells] == [0, 0]
    assert [cell.rank for _, _, cell in auc.cells] == [2, 1]
    assert "no value is better than another" in caption(bias)
    (both,) = laid_out([auc, bias], None, {})
    assert "higher is better, but neither for bias" in caption(both)
    assert [[cell.rank for cell in row.cells] for row in both.rows] == [[1, 0], [2, 0]]


def test_rows_follow_the_suite(study: Study) -> None:
    for name in ("c", "a", "b"):
        study.add(name, [0.5], adaptation="knn").add(name, [0.5, 0.6])
    (table,) = study.results(backbones=["b", "c"])
    assert [(row.backbone, row.adaptation) for row in table.rows] == [
        ("b", "knn"),
        ("b", "linear"),
        ("c", "knn"),
        ("c", "linear"),
        ("a", "knn"),
        ("a", "linear"),
    ]


def test_one_table_for_each_task_definition_and_metric(study: Study) -> None:
    study.add("a", [0.5]).add("a", [0.6], metric="miou", task="segmentation", dataset="s")
    study.add("a", [0.6], metric="miou", task="segmentation", dataset="s", definition="batch")
    study.ask("a", ["missing"], "never-run")
    tables = study.results()
    assert [(t.task, t.definition, t.metric, t.columns) for t in tables] == [
        ("classification", "def", "auc", ("never-run", "d")),
        ("segmentation", "def", "miou", ("s",)),
        ("segmentation", "batch", "miou", ("s",)),
    ]


def test_a_dataset_without_the_metric_is_no_column(study: Study) -> None:
    study.add("a", [0.5]).add("a", [0.5], metric="mean-label-auc", dataset="multi-label")
    assert [table.columns for table in study.results()] == [("d",), ("multi-label",)]


def test_only_corrected_p_against_the_baseline_is_significant(study: Study) -> None:
    for name in ("random-vit", "a", "b", "c"):
        study.add(name, [0.5, 0.6, 0.7])
    study.compare("a", p=0.001, p_corrected=0.049).compare("b", p=0.001, p_corrected=0.05)
    study.compare("c", b="a", p=0.001, p_corrected=0.001)
    (table,) = study.results(baseline="random-vit")
    assert [row.backbone for _, row, cell in table.cells if cell.significant] == ["a"]


def test_duplicates_are_refused(study: Study) -> None:
    study.add("a", [0.5]).add("a", [0.6])
    with pytest.raises(StoreError, match="stands twice"):
        study.results()


def test_no_records_no_tables(study: Study) -> None:
    assert study.results() == []
    assert study.ask("a", ["missing"]).results() == []


def test_caption_says_what_a_claim_needs(demo: Study) -> None:
    (table,) = demo.results(
        baseline="random-vit", notes={"d": "a generated test bench.", "absent": "not here"}
    )
    text = in_full(table)
    for part in (
        "auc in points (x 100; higher is better), mean ± standard deviation (ddof = 1)",
        "Metric definition: def.",
        "knn: n = 1, nothing varies; linear: n = 2 to 3, head seed varies.",
        "(a/b): only a of b repetitions are there.",
        "† differs from random-vit: p < .05 after Holm's correction over its family, the 2 "
        "backbones compared with random-vit on one dataset with one adaptation.",
        "tested for new images and runs, two-sided, on the same test images (paired).",
        "Not trained (random weights are one fixed draw each): random-vit.",
        "d: a generated test bench.",
    ):
        assert part in text
    assert "not here" not in text


def test_caption_without_baseline_or_tests_claims_nothing(study: Study) -> None:
    study.add("a", [0.5]).add("b", [0.6])
    (table,) = study.results()
    assert "†" not in in_full(table)
    study.compare("a", b="b", test="none", note="refused")
    (table,) = study.results(baseline="b")
    assert "†" not in in_full(table)
    assert "Not tested against b" in in_full(table)


def test_from_values_to_daggers(study: Study) -> None:
    for dataset in ("d", "e"):
        study.add("good", [0.9, 0.91, 0.92], dataset, varies="training seed")
        study.add("random-vit", [0.5, 0.53, 0.51], dataset, varies="training seed")
    rows = compare_pairs(study.values, study.predictions, [("good", "random-vit")], RULES)
    (table,) = build_results(study.values, Verdicts(rows, "random-vit"))
    assert all(cell(table, "good", d).significant for d in "de")
    assert "tested for new images and runs, two-sided" in in_full(table)
    assert "On these test images alone, over runs: paired t, in the CSV." in in_full(table)
    assert "head seed" not in in_full(table)


def test_the_whole_confidence_set_of_the_best_leads(study: Study) -> None:
    for name, value in (("a", 0.9), ("b", 0.88), ("c", 0.87), ("d", 0.5), ("e", 0.4)):
        study.add(name, [value, value])
    study.stand("best", "a", "c", "e").stand("untested", "b").stand("behind", "d")
    (table,) = study.results()
    assert [row.backbone for _, row, cell in table.cells if cell.leading] == ["a", "c", "e"]
    assert [row.backbone for _, row, cell in table.cells if cell.rank == 2] == ["b"]
    text = in_full(table)
    assert (
        "Bold: what may be the best of the column with the same adaptation, by a 95 % confidence "
        "set for new images and new runs. Underlined: second mean of the column" in text
    )
    assert "Not tested for the best: 1 cell." in text
    assert "picked on the test images" not in text


def test_backbones_are_ranked_with_one_adaptation_and_one_backbone_with_several(
    study: Study,
) -> None:
    study.add("a", [0.8, 0.8]).add("b", [0.79, 0.79])
    study.add("a", [0.9, 0.9], adaptation="full")
    (table,) = study.stand("best", "a", "b").results()
    leading = [(r.backbone, r.adaptation) for _, r, cell in table.cells if cell.leading]
    assert leading == [("a", "linear"), ("b", "linear")]  # full: a alone is best of nothing
    study.rows = [row for row in study.rows if row["backbone"] == "a"]
    (table,) = study.results()
    ranks = [(row.adaptation, cell.rank) for _, row, cell in table.cells]
    assert sorted(ranks) == [("full", 1), ("linear", 2)]
    assert "with the same backbone" in in_full(table)


def test_what_pretraining_shares_with_the_test_images_is_marked_and_named(study: Study) -> None:
    study.add("a", [0.8, 0.8]).add("b", [0.79, 0.79])
    (table,) = study.results(seen={("a", "d"): ("busi",)})
    assert [row.backbone for _, row, cell in table.cells if cell.seen] == ["a"]
    text = in_full(table)
    assert "pretraining data hold images of the test images' own source (busi)" in text
    assert "| a | linear | **80.00** ± 0.00\N{DOUBLE DAGGER} |" in to_markdown(
        "s", [result_table(table)]
    )
    assert r"\textbf{80.00} & 0.00$^{\ddagger}$" in to_latex("s", [result_table(table)])
    (table,) = study.results()
    assert "\N{DOUBLE DAGGER}" not in in_full(table)


def test_the_correction_that_was_used_is_the_one_named(study: Study) -> None:
    study.add("random-vit", [0.5, 0.6]).add("a", [0.8, 0.8]).compare("a", p_corrected=0.01)
    (table,) = study.results(baseline="random-vit")
    table = replace(table, correction="benjamini-hochberg")
    assert "p < .05 after Benjamini-Hochberg's correction" in in_full(table)
    reported = study.reported([table], correction="benjamini-hochberg")
    assert "Benjamini-Hochberg-corrected p" in tables_in_words(reported)

"""Tables 3-12 of the OmniRad study in their own shape, beside numbers of one's own."""

import csv
import io
from typing import Any

import numpy as np
import pytest

from omnibench.report.delimited import to_csv
from omnibench.report.latex import to_latex
from omnibench.report.markdown import to_markdown
from omnibench.report.published import published_results
from omnibench.report.result_tables import long_table, result_table
from omnibench.report.results import ResultRow, Results
from tests.report.by_hand import Study, in_full

DASH = "\N{EN DASH}"
TRAINED = {"varies": "training seed"}
CLASSIFIED = TRAINED | {"definition": "omnirad-classification"}
SEGMENTED = TRAINED | {"task": "segmentation", "definition": "omnirad-batch16"}
DATASETS: Any = ("busi", "covidquex", "fhpsaop", "mosmedplus")
DATASETS += ("pandental", "promise12", "usforkidney", "ultrasoundnerve")


def shaped(study: Study, **options: Any) -> dict[str, Results]:
    tables = published_results("omnirad", study.results(**options))
    return {table.study.removeprefix("omnirad, Table "): table for table in tables}


def own_rows(table: Results) -> dict[str, ResultRow]:
    return {row.backbone: row for row in table.rows if not row.published}


@pytest.fixture
def segmented(study: Study) -> Study:
    """Every dataset of Tables 9 and 10; the second backbone lacks the first of them."""
    for i, dataset in enumerate(DATASETS):
        for j, metric in enumerate(("miou", "dice", "f1")):
            values = [0.7 + (i + j) / 100, 0.72 + (i + j) / 100]
            study.add("my-vit", values, dataset, "decoder", metric, **SEGMENTED)
            if i:
                study.add("vit-base", values, dataset, "decoder", metric, **SEGMENTED)
    return study


def test_a_dataset_of_tables_3_to_7_has_its_metrics_as_columns(study: Study) -> None:
    for metric, value in (("auc", 0.95), ("accuracy", 0.9), ("macro-f1", 0.88)):
        study.add("my-vit", [value, value], "breastmnist", "full", metric, **CLASSIFIED)
        study.add("b", [value, value - 0.1], "breastmnist", "full", metric, **CLASSIFIED)
    study.add("my-vit", [0.5], "breastmnist", "linear", "auc", **CLASSIFIED)
    study.add("my-vit", [0.5], "chestmnist", "full", "auc", **CLASSIFIED)
    tables = shaped(study)
    assert list(tables) == ["3"]  # Table 8 is of omnirad-base alone
    table: Any = tables["3"]
    assert table.columns == ("accuracy", "macro-f1", "auc")
    assert table.dataset == "breastmnist"
    assert [row.backbone for row in table.rows][:3] == ["my-vit", "b", "Resnet18 [36]"]
    assert [cell.mean for cell in own_rows(table)["my-vit"].cells] == [0.9, 0.88, 0.95]
    assert [cell.rank for cell in own_rows(table)["b"].cells] == [2, 2, 2]
    assert all(not cell.rank for row in table.rows if row.published for cell in row.cells)


def test_printed_numbers_keep_their_decimals_definition_role_and_claimed_n(study: Study) -> None:
    study.add("my-vit", [0.9], "breastmnist", "full", "accuracy", **CLASSIFIED)
    table: Any = shaped(study)["3"]
    text = to_markdown("s", [result_table(table)])
    assert f"| Resnet18 \\[36\\] |  | published (cited) | medmnist | 83.3 | {DASH} | 89.1 |" in text
    printed = "| OmniRad small | full | published (own) | omnirad-classification | 91.83 ± 0.32 |"
    assert printed in text
    own = f"| my-vit | full | this suite | omnirad-classification | 90.00 | {DASH} | {DASH} |"
    assert own in text
    assert "n as claimed (cited: 1, own: 5, rerun: 5)" in in_full(table)
    assert "nothing is tested against them" in in_full(table)


def test_table_8_compares_adaptations_of_its_own_backbone(study: Study) -> None:
    for adaptation in ("full", "head", "lora-r8-a16", "linear"):
        for name in ("omnirad-base", "dino-base"):
            study.add(name, [0.9], "organamnist", adaptation, "macro-f1", **CLASSIFIED)
    table: Any = shaped(study)["8"]
    assert [(row.backbone, row.adaptation) for row in table.rows if not row.published] == [
        ("omnirad-base", "full"),
        ("omnirad-base", "head"),
        ("omnirad-base", "lora-r8-a16"),
    ]
    assert table.columns[2] == "organamnist"
    assert [cell.state for cell in table.rows[0].cells].count("unplanned") == 4


def test_tables_9_and_10_hold_a_row_for_each_definition(segmented: Study) -> None:
    tables: Any = shaped(segmented)
    assert tables["9"].columns == DATASETS[:4]
    assert tables["10"].columns == ("pandental", "promise12", "usforkidney", "ultrasoundnerve")
    cited = [row for row in tables["9"].rows if row.backbone == "RN-18 [14]"]
    assert [(row.definition, [c.state for c in row.cells].index("unplanned")) for row in cited] == [
        ("per-image-foreground", 2),
        ("per-image-macro", 0),
    ]
    labels = [
        line
        for line in to_latex("s", map(result_table, tables.values())).splitlines()
        if "label{" in line
    ]
    assert len(labels) == len(set(labels)) == 3


def test_table_11_is_the_mean_and_spread_of_every_run_of_every_dataset(segmented: Study) -> None:
    table: Any = shaped(segmented)["11"]
    assert table.columns == ("miou", "dice", "f1")
    assert table.members == DATASETS
    rows = own_rows(table)
    for j, cell in enumerate(rows["my-vit"].cells):
        runs = [v + (i + j) / 100 for i in range(8) for v in (0.7, 0.72)]
        assert cell.mean == pytest.approx(np.mean(runs))
        assert cell.n == 16
        assert cell.std == pytest.approx(np.std(runs, ddof=1))
    assert {cell.state for cell in rows["vit-base"].cells} == {"missing"}
    assert "so of the datasets more than of the runs" in in_full(table)
    assert "Metrics over 8 datasets in points" in in_full(table)


def test_table_12_has_a_row_for_each_decoding(study: Study) -> None:
    for decoding in ("b1-t64", "b5-t128"):
        given = TRAINED | {"task": "captioning", "definition": f"omnirad-captioning@{decoding}"}
        study.add("dino-base", [0.2], "rocov2", "bart-base", "meteor", **given)
    (table,) = shaped(study).values()
    assert table.heads[-2:] == ("beams", "max tokens")
    assert [row.settings for row in table.rows[:3]] == [("1", "64"), ("5", "128"), ("1", "64")]
    assert table.columns == ("meteor", "bleu", "precision-1", "precision-4", "rouge-l")
    assert "no n claimed" in in_full(table)


def test_the_csv_holds_printed_rows_once_and_own_rows_elsewhere(study: Study) -> None:
    study.add("my-vit", [0.9], "breastmnist", "full", "accuracy", **CLASSIFIED)
    tables = study.results()
    both = [*tables, *published_results("omnirad", tables)]
    rows = list(csv.DictReader(io.StringIO(to_csv(long_table(both)))))
    assert [row["published"] for row in rows if row["backbone"] == "my-vit"] == [""]
    small = [row for row in rows if row["backbone"] == "OmniRad small"]
    assert {row["published"] for row in small} == {"omnirad, Table 3 (own)"}
    first = next((row["metric"], float(row["mean"]), row["n"]) for row in small)
    assert first == ("accuracy", 0.9183, "5")


def test_a_suite_with_nothing_in_common_has_no_such_table(study: Study) -> None:
    study.add("my-vit", [0.9], "breastmnist", "full", "accuracy", **TRAINED)  # another definition
    assert shaped(study) == {}


def test_medmnists_numbers_stand_beside_a_resnet_from_scratch(study: Study) -> None:
    for metric, value in (("auc", 0.9), ("accuracy", 0.86)):
        study.add("medmnist-resnet18", [value] * 3, "breastmnist-28", "full", metric, **CLASSIFIED)
    (table,) = published_results("medmnist", study.results())
    text = to_markdown("s", [result_table(table)])
    assert "ResNet-18 (28)" in text
    assert "90.1" in text
    assert "86.3" in text

"""Own numbers held to the OmniRad study's; the published values are read off its tables."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from omnibench.cards import BackboneCard, DatasetCard
from omnibench.cell import Unit
from omnibench.report.reproduction import HEADS, MOST_ROWS, reproduction_tables
from omnibench.states import CellState
from tests.report.by_hand import Study

CLASSIFIED = {"varies": "training seed", "definition": "omnirad-classification"}
MEMBERS: Any = ("busi", "covidquex", "fhpsaop", "mosmedplus")
MEMBERS += ("pandental", "promise12", "usforkidney", "ultrasoundnerve")


@pytest.fixture
def asked(unit: Unit) -> Callable[..., Any]:
    """Return the states of a unit's cells, as a suite asks for them."""

    def asked(
        dataset: str,
        backbone: str,
        adaptation: str = "full",
        task: str = "classification",
        repetitions: int = 5,
    ) -> list[Any]:
        item = replace(
            unit,
            task=task,
            dataset=DatasetCard(id=dataset, reader="a:b", tasks=(task,)),
            backbone=BackboneCard(id=backbone, source="random:x"),
            adaptation=adaptation,
            short=adaptation,
            repetitions=tuple(range(repetitions)),
        )
        return [CellState(cell, "missing") for cell in item.cells]

    return asked


def lines(table: Any) -> dict[tuple[str, str, str], dict[str, str]]:
    return {
        (row[0], row[2], row[3]): dict(zip(table.heads, row, strict=True)) for row in table.texts
    }


def test_a_finished_cell_beside_its_published_number(
    study: Study, asked: Callable[..., Any]
) -> None:
    study.add(
        "omnirad-small",
        [0.90, 0.91, 0.92, 0.93, 0.94],
        "breastmnist",
        "full",
        "accuracy",
        **CLASSIFIED,
    )
    (table,) = reproduction_tables(
        "omnirad", study.results(), asked("breastmnist", "omnirad-small")
    )
    assert table.title == "Reproduction: omnirad, Table 3"
    assert table.heads == (*HEADS, "inside, k claimed", "inside, k = 3")
    line = lines(table)["omnirad-small", "breastmnist", "accuracy"]
    # 92 +- t(4) 1.5811 / sqrt 5; published 91.83 +- .32 of 5 (3 by the audit), as in test_predicted
    assert line["own"] == "92.00 ± 1.96"
    assert (line["n"], line["published"], line["difference"]) == ("5", "91.83 ± 0.32", "+0.17")
    assert line["inside, k claimed"] == "yes (± 0.56)"
    assert line["inside, k = 3"] == "yes (± 1.01)"
    assert "1 of 1 are inside with k as claimed (5)." in table.caption
    assert "1 of 1 are inside with k = 3" in table.caption
    # The table's two other metrics have no finished number here, and nine backbones are not asked.
    assert "2 of 3 are missing here." in table.caption
    assert "27 more of the published table are not asked for" in table.caption
    assert "This suite asks for nothing of Tables 4, 5, 6, 7, 8, 9, 10, 11, 12." in table.caption


def test_a_mean_outside_for_five_runs_may_be_inside_for_three(
    study: Study, asked: Callable[..., Any]
) -> None:
    values = [0.9250, 0.9260, 0.9255, 0.9252, 0.9258]  # 92.55, .72 above
    study.add("omnirad-small", values, "breastmnist", "full", "accuracy", **CLASSIFIED)
    (table,) = reproduction_tables(
        "omnirad", study.results(), asked("breastmnist", "omnirad-small")
    )
    line = lines(table)["omnirad-small", "breastmnist", "accuracy"]
    assert line["inside, k claimed"] == "no (± 0.56)"
    assert line["inside, k = 3"] == "yes (± 1.01)"
    assert "0 of 1 are inside with k as claimed" in table.caption


def test_what_is_not_finished_is_listed_as_missing(study: Study, asked: Callable[..., Any]) -> None:
    actual = reproduction_tables("omnirad", [], asked("organamnist", "omnirad-base", "head"))
    (table,) = actual
    assert table.title == "Reproduction: omnirad, Table 8"
    (row,) = table.texts
    assert row[:6] == ("omnirad-base", "head", "organamnist", "macro-f1", "0 of 5", "missing")
    assert "1 of 1 are missing here." in table.caption


def test_part_of_the_repetitions_says_so(study: Study, asked: Callable[..., Any]) -> None:
    study.add("dino-base", [0.9, 0.92], "breastmnist", "full", "auc", **CLASSIFIED)
    (table,) = reproduction_tables("omnirad", study.results(), asked("breastmnist", "dino-base"))
    assert lines(table)["dino-base", "breastmnist", "auc"]["n"] == "2 of 5"


def test_captions_without_a_std_cannot_be_told(study: Study, asked: Callable[..., Any]) -> None:
    study.add(
        "clip-base-openai",
        [0.2],
        "rocov2",
        "bart-base",
        "meteor",
        task="captioning",
        definition="omnirad-captioning@b1-t64",
    )
    states = asked("rocov2", "clip-base-openai", "bart-base", "captioning", 1)
    tables = reproduction_tables("omnirad", study.results(), states)
    line = lines(tables[0])["clip-base-openai", "rocov2", "meteor b1-t64"]
    assert (line["own"], line["published"], line["difference"]) == ("20.00", "19.59", "+0.41")
    assert line["inside, k claimed"] == "\N{EN DASH}"
    assert "1 cannot be told: no std is printed." in tables[0].caption


def test_an_aggregate_is_the_mean_of_its_datasets_and_has_no_interval(
    study: Study, asked: Callable[..., Any]
) -> None:
    segmented = {"task": "segmentation", "definition": "omnirad-batch16"}
    states = []
    for i, dataset in enumerate(MEMBERS):
        states += asked(dataset, "vit-small", "decoder", "segmentation", 2)
        study.add("vit-small", [0.8 + i / 100] * 2, dataset, "decoder", "miou", **segmented)
    tables = {t.title: t for t in reproduction_tables("omnirad", study.results(), states)}
    table = tables["Reproduction: omnirad, Table 11"]
    line = lines(table)["vit-small", "all", "miou"]
    assert (line["own"], line["published"], line["n"]) == ("83.50", "86.65 ± 7.05", "2")
    assert "1 cannot be told: its ± is over datasets." in table.caption


def test_long_tables_are_parted_between_datasets(asked: Callable[..., Any]) -> None:
    rows = asked("rocov2", "dinov3-base", "bart-base", "captioning", 1)
    for name in ("clip-base-openai", "dinov2-base", "radio-dino-base", "omnirad-base"):
        rows += asked("rocov2", name, "bart-base", "captioning", 1)
    tables = reproduction_tables("omnirad", [], rows)
    assert [table.title for table in tables] == [
        f"Reproduction: omnirad, Table 12 ({k} of 4)" for k in (1, 2, 3, 4)
    ]
    assert [len(table.rows) for table in tables] == [25] * 4
    assert all(len(table.rows) <= MOST_ROWS for table in tables)
    assert all(row[3].endswith("b4-t64") for row in tables[1].texts)


def test_a_suite_that_shares_nothing_gets_no_table(study: Study, asked: Callable[..., Any]) -> None:
    assert reproduction_tables("omnirad", [], asked("phantom", "random-vit-tiny")) == []

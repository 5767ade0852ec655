"""A report that filters narrow: less is shown, and what is tested stays that of the whole suite."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from omnibench.errors import RequestError
from omnibench.report.gather import gather
from omnibench.report.study import Study
from omnibench.report.write import tables_in_words
from omnibench.session import Places, Session
from omnibench.states import Filters, narrowed, states
from tests.commands.trained_records import write_suite

SIGNALS = {"base": 1.0, "better": 1.4, "same": 1.0, "fair": 1.15}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_suite(tmp_path_factory.mktemp("filtered"), SIGNALS, adaptations="full, linear")


def study_of(path: Path, filters: Filters) -> Study:
    session = Session.open(Places(results=path.parent / "results", data=path.parent / "data"))
    suite, units = session.suite(str(path))
    shown = {cell.digest for unit in narrowed(suite, filters) for cell in unit.cells}
    study = gather(suite, states(units, session.store), session.store, shown)
    return replace(study, filters=str(filters))


@pytest.mark.parametrize(
    "filters",
    [
        Filters(backbones=("better",)),
        Filters(backbones=("b*",), adaptations=("linear",)),
        Filters(repetitions=(0, 2)),
    ],
)
def test_filters_change_no_family_and_no_p(suite: Path, filters: Filters) -> None:
    whole, part = study_of(suite, Filters()), study_of(suite, filters)
    every = {(c.place, c.score, c.backbone_a): c for c in whole.comparisons}
    assert len(part.comparisons) > 0
    for comparison in part.comparisons:
        other = every[comparison.place, comparison.score, comparison.backbone_a]
        np.testing.assert_equal(vars(comparison), vars(other))
        assert comparison.family == (3 if comparison.primary else 0)
    sums = {(row.task, row.adaptation, row.score, row.backbone_a): row for row in whole.overall}
    for row in part.overall:
        key = (row.task, row.adaptation, row.score, row.backbone_a)
        np.testing.assert_equal(vars(row), vars(sums[key]))


def test_only_what_the_filters_leave_is_shown(suite: Path) -> None:
    part = study_of(suite, Filters(backbones=("better", "same"), adaptations=("linear",)))
    (results,) = part.primary.values()
    assert [(row.backbone, row.adaptation) for row in results.rows] == [
        ("better", "linear"),
        ("same", "linear"),
    ]
    assert {c.backbone_a for c in part.comparisons} == {"better", "same"}
    assert {state.cell.unit.short for state in part.states} == {"linear"}
    whole = study_of(suite, Filters())
    standing = {
        (row.backbone, row.adaptation): row.cells[0].standing
        for row in whole.primary["classification"].rows
    }
    for row in results.rows:
        assert row.cells[0].standing == standing[row.backbone, row.adaptation]


def test_means_are_of_the_repetitions_that_are_shown(suite: Path) -> None:
    whole, part = study_of(suite, Filters()), study_of(suite, Filters(repetitions=(0, 2)))
    values = whole.values
    results = part.primary["classification"]
    for row in results.rows:
        chosen = values[
            (values["backbone"] == row.backbone)
            & (values["adaptation"] == row.adaptation)
            & (values["definition"] == results.definition)
            & (values["metric"] == results.metric)
            & values["repetition"].isin((0, 2))
        ]
        assert row.cells[0].n == 2
        assert row.cells[0].mean == pytest.approx(chosen["value"].mean())


def test_a_filtered_report_says_so_first(suite: Path) -> None:
    part = study_of(suite, Filters(tasks=("class*",), repetitions=(0, 1)))
    (sentence,) = part.narrowing
    assert sentence.startswith("Filtered: --tasks class* --repetitions 0,1. ")
    assert "those of the whole suite trained" in sentence
    assert tables_in_words(part).splitlines()[2].startswith("Filtered: --tasks class")
    assert study_of(suite, Filters()).narrowing == []


def test_nothing_is_ranked_over_datasets_where_some_are_left_out(suite: Path) -> None:
    assert study_of(suite, Filters(backbones=("better",))).complete == []


def test_a_filter_that_matches_nothing_is_refused(suite: Path) -> None:
    with pytest.raises(RequestError, match="has nothing like 'bettre'; did you mean better"):
        study_of(suite, Filters(backbones=("bettre",)))

"""What looks wrong and what lacks stands in the report's answer."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from omnibench.catalogue import tasks
from omnibench.report.doubts import random_starts
from omnibench.report.gather import gather
from omnibench.report.study import Study
from omnibench.report.truth import Truth
from omnibench.states import states
from omnibench.task import Chance
from tests.report import by_hand
from tests.report.page_records import CASES, Results


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    with pytest.MonkeyPatch.context() as patch:
        results: Any = Results(tmp_path_factory.mktemp("results"), patch)
        yield gather(results.suite, states(results.units, results.store), results.store)


def with_values(reported: Study, **means: float) -> Any:
    """Return a study whose linear probes have these means on dots, where guesses score .5."""
    study = by_hand.Study()
    for name, mean in means.items():
        study.add(name, [mean, mean], "dots", control=name == "base")
    chance = Chance(0.5, "a coin")
    made = study.reported(study.results(baseline="base"), states=reported.states)
    vars(made)["truths"] = {("classification", "dots"): Truth(4, {"def/auc": chance})}
    return made


def test_cells_without_a_result_are_counted_with_their_first_reason(reported: Study) -> None:
    (answer,) = reported.answers
    failed, blocked, missing = answer.lacking
    assert failed.startswith("3 cells failed, first lost, full on dots: no room")
    assert blocked == "1 cell blocked, first lost, knn on dots: weights lost: fetch them."
    assert missing == "2 cells missing, first lost, linear on dots."


def test_a_failure_has_its_own_reason_where_its_data_are_absent_now(reported: Study) -> None:
    without = [
        replace(state, needs=("data dots: fetch it",)) if state.state == "failed" else state
        for state in reported.states
    ]
    (answer,) = replace(reported, states=without).answers
    assert answer.lacking[0].startswith("3 cells failed, first lost, full on dots: no room")


def test_test_cases_and_chance_are_those_of_the_records(reported: Study) -> None:
    truth = reported.truths["classification", "dots"]
    assert truth.cases == CASES
    assert truth.chances["omnirad-classification/accuracy"].value == pytest.approx(1 / 3)
    (answer,) = reported.answers
    assert {contest.cases for contest in answer.contests} == {CASES}


def test_backbones_at_or_below_chance_are_named_but_controls_are_not(reported: Study) -> None:
    (answer,) = with_values(reported, base=0.4, good=0.5, lost=0.6).answers
    assert answer.doubts == [
        "dots: at or below the chance level of 50.00 auc (a coin): good (linear) with 50.00."
    ]


def test_a_backbone_below_random_weights_of_its_architecture_is_named(reported: Study) -> None:
    (answer,) = with_values(reported, base=0.7, good=0.65, lost=0.9).answers
    assert answer.doubts == [
        "dots: good is worse than its architecture with random weights, base: by 5.00 points with "
        "linear."
    ]


def test_random_starts_are_of_the_same_architecture(reported: Study) -> None:
    assert random_starts(reported) == {"good": "base", "lost": "base"}


def test_undefined_values_are_named(reported: Study) -> None:
    (answer,) = with_values(reported, base=0.7, good=float("nan")).answers
    assert "auc is undefined in at least one repetition of good (linear) on dots." in answer.doubts


def test_what_a_task_doubts_is_said_once_for_all_its_units(
    reported: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def doubts(records: Any, cases: int) -> Iterator[str]:
        yield f"{len(records)} odd of {cases}"

    monkeypatch.setattr(tasks.get("classification"), "doubts", doubts, raising=False)
    (answer,) = replace(reported).answers
    assert f"dots: 3 odd of {CASES}: base (linear), base (full), good (linear)" in answer.doubts[0]


def record(**metrics: float) -> dict[str, Any]:
    return {"metrics": {f"d@b1-t64/{k.replace('_', '-')}": v for k, v in metrics.items()}}


def test_a_captioner_of_one_text_is_doubted() -> None:
    task = tasks.get("captioning")
    records = [record(distinct_captions=0.5), record(distinct_captions=1 / 128)]
    (doubt,) = task.doubts(records, 128)
    assert doubt == "no more than one caption for all 128 test images in some repetition"
    (doubt,) = task.doubts([record(distinct_captions=3 / 128)], 128)
    assert doubt.startswith("no more than 3 captions")
    assert list(task.doubts(records[:1], 128)) == []
    assert list(task.doubts([record(bleu=0.1)], 128)) == []


def test_a_collapsed_pretraining_is_doubted() -> None:
    task = tasks.get("pretraining")
    assert list(task.doubts([{"notes": {"collapse": ["one prototype"]}}], 0)) == [
        "collapsed, one prototype"
    ]
    assert list(task.doubts([{"notes": {"collapse": []}}], 0)) == []

"""Who leads, by how much, and whether that is decided: the report's answer, against its parts."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from omnibench.report.answers import Answer
from omnibench.report.leads import Contest, Lead
from omnibench.stats.across import overall
from omnibench.stats.compare import Rules, compare_pairs
from tests.report.by_hand import PRIMARY, RULES, Study


def contests(study: Study, **options: Any) -> list[Contest]:
    results = study.results(baseline="random-vit", **options)
    reported = study.reported(results, predictions=study.predictions)
    (answer,) = reported.answers
    return list(answer.contests)


@pytest.fixture
def three(study: Study) -> Study:
    study.add("random-vit", [0.5, 0.52, 0.54]).add("good", [0.9, 0.91, 0.92])
    return study.add("fair", [0.85, 0.86, 0.84])


def test_the_best_member_of_a_confidence_set_of_one_leads(three: Study) -> None:
    (contest,) = contests(three.stand("best", "good").stand("behind", "fair", "random-vit"))
    assert (contest.leader, contest.models, contest.decided) == ("good", 3, True)
    assert contest.tied == ()
    assert "good leads with auc 91.00 ± 1.00, 6.00 points ahead of fair" in contest.claim


def test_others_in_the_confidence_set_cannot_be_told_apart(three: Study) -> None:
    (contest,) = contests(three.stand("best", "good", "fair").stand("behind", "random-vit"))
    assert (contest.decided, contest.tied) == (False, ("fair",))
    assert contest.claim.endswith("but can't be told apart from fair.")


def test_none_can_be_told_apart_where_all_are_undecided(three: Study) -> None:
    (contest,) = contests(three.stand("undecided", "good", "fair", "random-vit"))
    assert (contest.decided, contest.tied) == (False, ("random-vit", "fair"))


def test_a_lead_is_the_comparison_that_compare_makes(three: Study) -> None:
    (contest,) = contests(three.stand("best", "good").stand("behind", "fair", "random-vit"))
    pair = [("good", "fair")]
    (row,) = compare_pairs(three.values, three.predictions, pair, RULES, [("def", PRIMARY)])
    assert contest.second is not None
    assert contest.second.difference == row.difference
    assert (contest.second.low, contest.second.high) == (row.low, row.high)
    assert row.low < row.difference < row.high


def test_the_difference_from_the_baseline_is_the_suites_own(three: Study) -> None:
    three.compare("good", difference=0.39, low=0.2, high=0.5, p=0.01, p_corrected=0.02)
    (contest,) = contests(three)
    assert contest.baseline == Lead("random-vit", 0.39, 0.2, 0.5, "better")
    assert contest.decided is False
    assert "not tested" in contest.claim


def test_a_leading_baseline_is_compared_with_the_next(study: Study) -> None:
    study.add("random-vit", [0.9, 0.92]).add("good", [0.7, 0.72])
    study.compare("good", difference=-0.2, low=-0.3, high=-0.1, p=0.01, p_corrected=0.01)
    (contest,) = contests(study)
    assert (contest.leader, contest.baseline) == ("random-vit", None)
    assert contest.second is not None
    assert (contest.second.difference, contest.second.low, contest.second.high) == (0.2, 0.1, 0.3)


def test_less_is_ahead_where_less_is_better(three: Study) -> None:
    (contest,) = contests(three, lower_is_better={f"def/{PRIMARY}"})
    assert (contest.leader, contest.second and contest.second.rival) == ("random-vit", "fair")
    assert contest.second is not None
    assert contest.second.difference == pytest.approx(0.33)
    assert contest.second.low < contest.second.difference < contest.second.high


def test_a_backbone_that_lacks_repetitions_does_not_lead(study: Study) -> None:
    study.add("random-vit", [0.5, 0.52]).add("good", [0.9])
    study.ask("random-vit", ["done"] * 2).ask("good", ["done", "missing"])
    (contest,) = contests(study)
    assert (contest.leader, contest.second) == ("random-vit", None)
    assert contest.claim == "random-vit alone has all repetitions: auc 51.00 ± 1.41."
    assert contest.facts.endswith("not ranked, for want of repetitions: good with 90.00.")


def test_a_lead_of_incomplete_backbones_is_not_tested_for_want_of_repetitions(study: Study) -> None:
    for name, value in (("random-vit", 0.5), ("good", 0.9)):
        study.add(name, [value, value + 0.02]).ask(name, ["done", "done", "missing"])
    (contest,) = contests(study.stand("incomplete", "random-vit", "good"))
    assert contest.claim.endswith("; that is not tested: repetitions are missing.")


def test_backbones_that_nowhere_meet_are_not_one_alone(study: Study) -> None:
    study.add("good", [0.9, 0.91]).add("fair", [0.8], adaptation="knn")
    answer = Answer("classification", contests(study))
    assert answer.headline.startswith("Nowhere do two backbones have all repetitions")
    assert Answer("classification", answer.contests[:1]).headline.startswith("One backbone alone")


def test_a_claim_is_of_those_with_all_repetitions(three: Study) -> None:
    three.add("partial", [0.99])
    for name in ("random-vit", "good", "fair"):
        three.ask(name, ["done"] * 3)
    three.stand("best", "good").stand("behind", "fair", "random-vit").stand("incomplete", "partial")
    (contest,) = contests(three.ask("partial", ["done", "missing", "missing"]))
    assert contest.claim.startswith("Of those with all repetitions, good leads with auc 91.00")
    for text in (contest.sentence, contest.brief):
        assert "not ranked, for want of repetitions: partial with 99.00" in text


def test_a_backbone_alone_is_no_leader(study: Study) -> None:
    (contest,) = contests(study.add("good", [0.9, 0.91]))
    assert contest.claim == "good alone has a result: auc 90.50 ± 0.71."


def test_the_verdict_over_datasets_comes_first_and_is_the_overall_one(study: Study) -> None:
    for dataset, shift in (("d", 0.0), ("e", 0.05), ("f", 0.02)):
        study.add("good", [0.8 + shift, 0.81], dataset).add("fair", [0.7, 0.71 + shift], dataset)
    first, *each = contests(study)
    assert first.datasets == ("d", "e", "f")
    assert [contest.datasets for contest in each] == [("d",), ("e",), ("f",)]
    rows = compare_pairs(
        study.values, study.predictions, [("good", "fair")], RULES, [("def", PRIMARY)]
    )
    (row,) = overall(rows, RULES)
    assert first.second is not None
    assert first.second == Lead("fair", row.mean_difference, row.low, row.high, row.verdict)
    means = study.values.groupby(["backbone", "dataset"])["value"].mean()
    assert first.mean == pytest.approx(float(np.mean(means["good"])))


def test_headlines_count_who_leads_and_what_is_open() -> None:
    def contest(leader: str, verdict: Any) -> Contest:
        lead = Lead("x", 0.1, 0.0, 0.2, verdict)
        return Contest("t", ("d",), "linear", "auc", "points", leader, 0.9, second=lead)

    three = [contest("a", "better"), contest("a", "better"), contest("b", "undecided")]
    text = "a leads in 2 and no leader is decided in 1 of 3 comparisons"
    assert Answer("t", three).headline == f"{text}."
    assert Answer("t", three[2:]).headline == "No leader is decided: b has the best mean."
    assert Answer("t", three[:1]).headline == "a leads."
    over = replace(three[0], datasets=("d", "e"))
    assert Answer("t", [over, *three]).headline == (
        f"Over several datasets a leads; dataset by dataset {text}."
    )
    alone = replace(three[0], second=None)
    assert Answer("t", [alone]).headline == "One backbone alone has results."
    assert Answer("t", made=["it"]).headline == "1 backbone made."
    assert Answer("t").headline == "There is no result yet."


def test_a_task_without_a_primary_metric_has_no_contest(study: Study) -> None:
    study.add("good", [0.9, 0.91])
    reported = study.reported(study.results(), rules=Rules(), predictions=study.predictions)
    assert reported.answers == []


def test_a_column_without_a_number_has_no_contest(study: Study) -> None:
    assert contests(study.add("a", [float("nan")])) == []

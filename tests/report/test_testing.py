"""How backbones were compared, in words: each sentence stands there exactly when it holds."""

from collections.abc import Callable
from typing import Any

import pytest

from omnibench.report.page.testing import comparison_words, over_datasets
from tests.report.by_hand import Study

BASE = "random-vit"
RUNS: Any = {"test_runs": "paired t (head seed only)", "p_runs": 0.01}
SENTENCES = {
    "nothing": "No difference from a baseline was tested.",
    "tested": "Differences from random-vit were tested two-sided for new images and runs, with "
    "95 % intervals by the t distribution",
    "tested once": "were tested two-sided for new images, with 95 % intervals",
    "head seed": "Repetitions of frozen probes differ in the head's seed alone.",
    "family": "Verdicts are on each task's primary metric (auc). P values were corrected by Holm's "
    "step-down procedure over families of 2 comparisons: the backbones compared with random-vit on "
    "one dataset with one adaptation; a dagger marks a corrected p below .05.",
    "family of one": "over families of 1 comparison: the backbones compared",
    "others": "Other metrics are described by their intervals, which are not corrected.",
    "no primary": "No primary metric was tested; others are described by their intervals.",
    "identical": "Models that no test image tells apart in any repetition are called identical "
    "(1 comparison).",
    "runs": "Runs alone were compared on these test images by paired t (head seed only), with "
    "Hedges g (exact small-sample factor); no verdict follows from it.",
    "best": "Bold marks a 95 % confidence set of the best backbone of a dataset and adaptation, "
    "joint over the backbones (comparison with the best, Hsu 1984).",
    "undecided": "Where it holds them all, nothing is bold and the caption says undecided.",
    "incomplete": "Units that lack repetitions take no part in the ranks and are never bold.",
    "margin": "Equivalence was tested within 0.5 points of primary metrics by two one-sided t "
    "tests at the 5 % level",
    "refused": "1 comparison could not be tested, for the reasons given beside them.",
}
DECIDED: Any = {"p": 0.01, "p_corrected": 0.02}
USUAL = {"tested", "head seed", "family"}
CASES: list[tuple[Callable[[Study], Any], set[str]]] = [
    (lambda study: None, {"nothing"}),
    (lambda study: study.compare("a", **DECIDED), USUAL),
    (
        lambda study: study.compare("a", family=1, **DECIDED),
        {"tested", "head seed", "family of one"},
    ),
    (
        lambda study: study.compare("a", test="new images", **DECIDED),
        {"tested once", "head seed", "family"},
    ),
    (lambda study: study.compare("b", **DECIDED), {"tested", "family"}),
    (
        lambda study: study.compare("a", **DECIDED).compare("a", metric="f1", p=0.01),
        {*USUAL, "others"},
    ),
    (
        lambda study: study.compare("a", metric="f1", p=0.01),
        {"tested", "head seed", "no primary"},
    ),
    (lambda study: study.compare("a", verdict="identical", **DECIDED), {*USUAL, "identical"}),
    (lambda study: study.compare("a", **DECIDED, **RUNS), {*USUAL, "runs"}),
    (
        lambda study: study.compare("a", test="none", note="why", **RUNS),
        {"nothing", "runs", "refused"},
    ),
    (
        lambda study: study.compare("a", **DECIDED).compare("b", test="none", note="why"),
        {*USUAL, "refused"},
    ),
    (lambda study: study.compare("a", equivalent=False, **DECIDED), {*USUAL, "margin"}),
    (lambda study: study.stand("best", "a").stand("behind", BASE), {"nothing", "best"}),
    (
        lambda study: study.stand("undecided", "a", BASE),
        {"nothing", "best", "undecided"},
    ),
    (
        lambda study: study.stand("incomplete", "a").stand("untested", BASE),
        {"nothing", "incomplete"},
    ),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_each_sentence_stands_there_exactly_when_it_holds(study: Study, number: int) -> None:
    fill, expected = CASES[number]
    study.add(BASE, [0.5, 0.51]).add("a", [0.7, 0.72])
    study.add("b", [0.6, 0.61], varies="training seed")
    fill(study)
    results = study.results(baseline=BASE)
    text = " ".join(comparison_words(study.reported(results, margin=0.5)))
    assert {name for name, sentence in SENTENCES.items() if sentence in text} == expected


def test_every_sentence_has_a_case() -> None:
    assert set().union(*(expected for _, expected in CASES)) == set(SENTENCES)


def test_a_margin_that_no_metric_can_have_is_not_said_to_be_tested(study: Study) -> None:
    study.add(BASE, [5.0, 5.1]).add("a", [7.0, 7.2]).compare("a", **DECIDED)
    results = study.results(baseline=BASE, units={"def/auc": "pixels"})
    text = " ".join(comparison_words(study.reported(results, margin=0.5)))
    assert SENTENCES["margin"] not in text
    assert "The margin is in points; auc is in pixels, so it is left out." in text


@pytest.mark.parametrize(("datasets", "error"), [(2, 0.01), (1, 0.01), (2, float("nan"))])
def test_verdicts_over_datasets_are_named_where_there_are_any(
    study: Study, datasets: int, error: float
) -> None:
    for k in range(2):
        study.add(BASE, [0.5, 0.51], f"d{k}").add("a", [0.7, 0.72], f"d{k}")
    for k in range(datasets):
        study.compare("a", dataset=f"d{k}", error=error, df=9.0, **DECIDED)
    text = " ".join(over_datasets(study.reported(study.results(baseline=BASE))))
    sentence = (
        "On average over datasets, differences from random-vit in the primary metric were tested "
        "two-sided for new images and new runs on these datasets, with the same variances; p "
        "corrected by Holm over the 1 backbone of an adaptation."
    )
    assert (sentence in text) == (datasets == 2 and error == 0.01)
    assert "were ranked by their means." in text

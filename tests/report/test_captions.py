"""Captions of results: each sentence stands there exactly when it holds."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.report.by_hand import Study, in_full

BASE = "random-vit"
RUNS: Any = {"test_runs": "paired t", "p_runs": 0.01}
SENTENCES = {
    "set": "Bold: what may be the best of the column with the same adaptation, by a 95 % "
    "confidence set for new images and new runs.",
    "mean": "Bold: best mean of the column with the same adaptation, picked on the test images, "
    "which claims no significance.",
    "mean beside a set": "Bold where such a set was not computed: best mean of the column",
    "second": "Underlined: second mean of the column with the same adaptation, which claims "
    "nothing.",
    "undecided": "Undecided, as none can be ruled out as the best: d (linear).",
    "incomplete": "Neither bold nor ranked, for want of runs: 1 cell.",
    "share": "(a/b): only a of b repetitions are there.",
    "untested best": "Not tested for the best: 2 cells.",
    "family": "† differs from random-vit: p < .05 after Holm's correction over its family, the 2 "
    "backbones compared with random-vit on one dataset with one adaptation",
    "family of one": "the 1 backbone compared with random-vit",
    "some columns": ", in auc (def) alone; all else is described, not decided.",
    "described": "Described, not decided: verdicts and daggers are on the task's primary metric.",
    "tested": "Differences are tested for new images and runs, two-sided, on the same test images "
    "(paired).",
    "two questions": "tested for new images and runs (single repetitions for new images alone), ",
    "runs": "On these test images alone, over runs: paired t, in the CSV.",
    "identical": "Identical to random-vit, patient by patient: 1 cell.",
    "some untested": "Not tested against random-vit: 1 cell, for reasons given in the CSV.",
    "all untested": "Not tested against random-vit, for reasons given in the CSV.",
}


def alone(study: Study) -> None:
    study.rows = [row for row in study.rows if row["backbone"] == "a"]


def short(study: Study) -> None:
    study.stand("best", "a", BASE).stand("incomplete", "b")
    study.ask("b", ["done"] * 3 + ["missing"] * 2).ask("a", ["done"] * 3).ask(BASE, ["done"] * 3)


CASES: list[tuple[Callable[[Study], Any], set[str]]] = [
    (lambda study: None, {"mean", "second"}),
    (alone, set()),
    (lambda study: study.stand("best", "a", "b").stand("behind", BASE), {"set", "second"}),
    (lambda study: study.stand("undecided", "a", "b", BASE), {"second", "undecided"}),
    (lambda study: study.stand("untested", "b", BASE), {"mean", "second", "untested best"}),
    (short, {"set", "second", "incomplete", "share"}),
    (
        lambda study: study.stand("best", "b", dataset="e").add("b", [0.1], "e"),
        {"mean beside a set", "set", "second"},
    ),
    (
        lambda study: study.compare("a", p_corrected=0.9),
        {"mean", "second", "family", "tested"},
    ),
    (
        lambda study: study.compare("a", p_corrected=0.9, family=1, **RUNS),
        {"mean", "second", "family of one", "tested", "runs"},
    ),
    (
        lambda study: study.compare("a", p_corrected=0.9, test="new images").compare("b"),
        {"mean", "second", "family", "two questions"},
    ),
    (
        lambda study: study.compare("a", primary=False),
        {"mean", "second", "described", "tested"},
    ),
    (
        lambda study: study.compare("a", primary=False).compare("b", p_corrected=0.01),
        {"mean", "second", "family", "tested", "some columns"},
    ),
    (
        lambda study: study.compare("a", verdict="identical", p_corrected=1.0),
        {"mean", "second", "family", "tested", "identical"},
    ),
    (
        lambda study: study.compare("a", p_corrected=0.9).compare("b", test="none", note="why"),
        {"mean", "second", "family", "tested", "some untested"},
    ),
    (
        lambda study: study.compare("a", test="none", note="why", **RUNS),
        {"mean", "second", "runs", "all untested"},
    ),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_each_sentence_stands_there_exactly_when_it_holds(study: Study, number: int) -> None:
    fill, expected = CASES[number]
    for name, value in ((BASE, 0.5), ("a", 0.7), ("b", 0.6)):
        study.add(name, [value, value + 0.01, value + 0.02])
    fill(study)
    (table,) = study.results(baseline=BASE)
    text = in_full(table)
    assert {name for name, sentence in SENTENCES.items() if sentence in text} == expected
    assert "  " not in text


def test_every_sentence_has_a_case() -> None:
    assert set().union(*(expected for _, expected in CASES)) == set(SENTENCES)


def test_without_a_baseline_nothing_is_said_of_tests(study: Study) -> None:
    study.add("a", [0.5, 0.6]).add("b", [0.6, 0.7]).compare("a", p_corrected=0.01)
    (table,) = study.results()
    for word in ("†", "tested", "corrected", "family", BASE):
        assert word not in in_full(table)


def test_families_of_several_sizes_are_a_range(study: Study) -> None:
    for dataset, family in (("d", 1), ("e", 3)):
        study.add(BASE, [0.5, 0.6], dataset).add("a", [0.6, 0.7], dataset)
        study.compare("a", dataset=dataset, family=family, p_corrected=0.5)
    (table,) = study.results(baseline=BASE)
    assert "its family, the 1 to 3 backbones compared with" in in_full(table)

"""The methods in words: every fact from the records, nothing that was not done."""

import pytest
from page_records import Results

from omnibench.report.page.recipes import choices, recipe_words
from omnibench.report.page.words import counted, listed, span
from omnibench.suite import ReportSection


@pytest.fixture
def prose(tmp_path, monkeypatch):
    results = Results(tmp_path, monkeypatch)

    def written():
        text = results.report()
        start = text.index('<div id="prose">')
        return text[start : text.index("</div>", start)]

    return results, written


def test_facts(prose):
    _, written = prose
    text = written()
    for fact in (
        "We evaluated 3 backbones (base, good and lost).",
        "base is a control with random weights, one fixed draw each.",
        "Of 21 planned runs, 15 are finished; only these are described and compared.",
        "Classification: dataset dots (60 test cases).",
        "linear trains a linear layer on frozen, standardised embeddings (images of 64 pixels, 3 "
        "epochs, learning rate 0.1 or 0.01, precision fp32, normalised by each backbone&#39;s own "
        "statistics; learning rate (of 2 candidates) chosen by macro f1 on the validation images).",
        "Metrics: macro-f1, accuracy and auc (definition omnirad-classification, in points).",
        "linear 1 to 3 times (head seed varies), knn once (deterministic) and full 3 times",
        "suite seed 7.",
        "paired across backbones.",
        "by DeLong by patient, paired bootstrap by patient and paired t.",
        "Holm&#39;s step-down procedure over families of 4 comparisons",
        "6 comparisons could not be tested",
        "Software: torch 2.15.0, timm 1.0.31 and Python 3.11.1. Device: cpu: a &lt; b.",
    ):
        assert fact in text, fact
    assert "70" not in text  # the official size is not what was tested


def test_without_a_baseline_no_test_is_claimed(prose):
    results, written = prose
    results.suite.report = ReportSection()
    text = written()
    assert "No difference was tested." in text
    for word in ("Holm", "DeLong", "dagger", "Hedges", "corrected"):
        assert word not in text


def test_other_seeds_are_not_called_paired(prose):
    results, written = prose
    for path in results.folder.rglob("rep-*.json"):
        if "/good/" in path.as_posix():
            path.write_text(path.read_text().replace('"pairing": "', '"pairing": "other'))
    assert "paired across backbones" not in written()


def test_words():
    assert [listed([]), listed("a"), listed("aba"), listed("abc", "or")] == [
        "", "a", "a and b", "a, b or c"
    ]  # fmt: skip
    assert [counted(1, "image"), counted(1234, "image")] == ["1 image", "1,234 images"]
    assert [span([3, 3]), span([5, 2])] == ["3", "2 to 5"]


def test_recipes_name_every_value_that_occurs():
    records = [
        {"spec": {"recipe": {"epochs": 1, "limit": None, "lr": 1e-4}}, "environment": {}},
        {"spec": {"recipe": {"epochs": 1, "limit": 64, "lr": 1e-4}}, "environment": {}},
    ]
    words = "the first 64 images of each split (where limited), 1 epoch, learning rate 0.0001"
    assert recipe_words(records) == words
    assert choices(records) == ""
    records[0]["environment"]["chosen"] = {"epoch": 3, "val_loss": 0.5}
    assert choices(records) == "epoch chosen by loss on the validation images"

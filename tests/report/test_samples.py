"""Pages of test cases: what disagrees most, shown as it was predicted, with its image."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from omnibench.catalogue import datasets, tasks
from omnibench.data.phantom.reader import generate
from omnibench.errors import DataError
from omnibench.report.samples.disagreement import most_disagreeing
from omnibench.report.samples.pictures import Thumbnails
from omnibench.samples import CaseAnswers
from tests.report.page_records import ATTACK, CASES, Results, unit


def test_the_most_disagreeing_cases_come_first_and_equals_by_their_worst() -> None:
    scores = [np.array([0.9, 0.5, 0.1, 0.2, np.nan]), np.array([0.8, 0.9, 0.5, 0.2, np.nan])]
    assert most_disagreeing(scores) == [2, 1, 0, 3, 4]
    assert most_disagreeing(scores, most=2) == [2, 1]
    assert most_disagreeing(scores[:1]) == [2, 3, 1, 0, 4]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    return Results(tmp_path, monkeypatch)


def page_of(results: Results, name: str) -> str:
    path = results.folder / "reports/samples" / f"classification-dots-{name}.html"
    return path.read_text(encoding="utf-8")


def test_each_adaptation_has_a_page_that_the_report_links_to(results: Results) -> None:
    report = results.report()
    for name in ("linear", "knn", "full"):
        assert f'<a href="samples/classification-dots-{name}.html">' in report
        assert page_of(results, name).count("<article") == 24
    page = page_of(results, "linear")
    assert f"24 of {CASES} test cases" in page
    assert "3 backbones, each by its first finished repetition (0)" in page
    assert '<a href="../report.html">' in page


def test_a_page_says_why_it_has_no_image(results: Results) -> None:
    results.report()
    assert "Without images: " in page_of(results, "linear")


def test_a_page_is_safe_asks_nothing_and_names_no_patient(results: Results) -> None:
    for one in results.units:
        for cell in one.cells:
            record = results.store.read(cell)
            if record is not None and record["status"] == "done":
                arrays: Any = {
                    "test_logits": np.eye(3)[np.arange(CASES) % 3],
                    "test_labels": np.arange(CASES) % 3,
                    "test_case": np.arange(CASES),
                    "test_group": np.array([f"PATIENT-{k}" for k in range(CASES)]),
                }
                results.store.write(cell, record, arrays)
    results.report()
    page = page_of(results, "linear")
    assert "PATIENT" not in page
    assert "<img src=x" not in page and "&lt;img src=x onerror" in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=\"(?!data:|\.\./report\.html)", page)
    assert ATTACK not in page


def test_an_unchanged_page_with_its_images_is_left_as_it_is(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = list(np.zeros((24, 8, 8, 3), np.uint8))
    monkeypatch.setattr(Thumbnails, "images", lambda *_: images)
    results.report()
    before = page_of(results, "full")
    assert "data:image/webp;base64," in before
    monkeypatch.setattr(Thumbnails, "images", lambda *_: pytest.fail("read again"))
    results.report()
    assert page_of(results, "full") == before


def test_answers_of_a_classifier_are_its_probabilities() -> None:
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.25, 0.25, 0.5]]))
    predictions = {"test_logits": logits, "test_labels": np.array([0, 1])}
    card = datasets.get("phantom").model_copy(update={"classes": ("a", "b", "c")})
    answers = tasks.get("classification").case_answers(predictions, card, lambda _: None)
    assert answers is not None
    assert answers.truth == ["a", "b"]
    assert answers.answers == ["a (70 %)", "c (50 %)"]
    assert answers.scores == pytest.approx([0.7, 0.25])


def test_answers_of_several_labels_are_those_above_a_half() -> None:
    odds = np.log(np.array([[9.0, 1 / 4, 3.0]]))
    predictions = {"test_logits": odds, "test_labels": np.array([[1, 1, 0]])}
    card = datasets.get("phantom").model_copy(update={"classes": ("a", "b", "c")})
    answers = tasks.get("classification").case_answers(predictions, card, lambda _: None)
    assert answers is not None
    assert answers.truth == ["a, b"]
    assert answers.answers == ["a (90 %), c (75 %)"]
    assert answers.scores == pytest.approx([(0.9 + 0.2 + 0.25) / 3])


def test_answers_of_a_captioner_are_its_last_texts_with_their_score() -> None:
    values = "values:omnibench-captioning@"
    predictions = {
        "test_reference": np.array(["a cyst", "a mass"], object),
        "test_text@b1-t64": np.array(["x", "y"], object),
        "test_text@b4-t64": np.array(["a cyst", ""], object),
        f"{values}b1-t64/rouge-l": np.array([0.1, 0.1]),
        f"{values}b4-t64/rouge-l": np.array([1.0, 0.0]),
    }
    card = datasets.get("phantom")
    answers = tasks.get("captioning").case_answers(predictions, card, lambda _: None)
    assert answers is not None
    assert answers.answers == ["a cyst (ROUGE-L 100)", "(nothing) (ROUGE-L 0)"]
    assert answers.truth == ["a cyst", "a mass"]


def test_masks_are_laid_over_their_image() -> None:
    from omnibench.tasks.segmentation.samples import packed, small

    truth = np.zeros((1, 96, 96), np.uint8)
    truth[0, :48] = 1
    predicted = np.zeros_like(truth)
    predicted[0, :, :48] = 1
    counts = np.array([[[48 * 48, 48 * 48, 48 * 48, 48 * 48]] * 2])
    stored = packed(small(predicted), small(truth))
    answers = tasks.get("segmentation").case_answers(
        {"test_counts": counts}, datasets.get("phantom"), lambda name: stored
    )
    assert answers is not None and answers.paint is not None
    image = answers.paint(0, np.zeros((32, 32, 3), np.uint8))
    corners = [image[y, x].argmax() for y, x in ((0, 0), (31, 0), (0, 31))]
    assert corners == [1, 2, 0]  # green correct, blue over-predicted, red missed
    assert not image[31, 31].any()


def test_thumbnails_are_the_images_that_were_tested(tmp_path: Path) -> None:
    card = datasets.get("phantom").model_copy(update={"splits": {"train": 9, "test": 12}})
    some = replace(unit("base", "linear"), dataset=card, sources={"dataset": "phantom@1"})
    images = Thumbnails(tmp_path, 64).images(some, [3, 11])
    drawn = generate("test", 12, 64).images.read_rows(np.array([3, 11]))
    assert np.array_equal(np.stack(images)[..., 0], drawn)
    with pytest.raises(DataError, match="other than when the records were made"):
        Thumbnails(tmp_path, 64).images(replace(some, sources={"dataset": "x"}), [0])


def test_pictures_are_small_webp() -> None:
    from omnibench.report.samples.pictures import address, painted

    image = np.full((96, 96, 3), 200, np.uint8)
    source = address(image).removeprefix("data:image/webp;base64,")
    with Image.open(io.BytesIO(base64.b64decode(source))) as picture:
        assert (picture.format, picture.size) == ("WEBP", (96, 96))
    nothing = CaseAnswers("m", [""], [""], np.zeros(1))
    assert painted(nothing, 0, image) == ""

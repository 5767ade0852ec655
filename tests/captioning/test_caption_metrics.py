"""The definitions as a whole: names, means over captions, and what a bad model gets."""

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from omnibench.data.phantom.captions import caption
from omnibench.data.phantom.cases import case
from omnibench.scoring import score
from omnibench.tasks.captioning import metrics
from omnibench.tasks.captioning.metrics import METRICS
from tests.captioning.captioning_texts import pairs

TRUTH = [caption(case("metrics", index)) for index in range(40)]
NAMES = {
    "omnirad-captioning": ["meteor", "rouge-l", "bleu", "precision-1", "precision-4"],
    "omnibench-captioning": [
        "meteor", "rouge-l", "cider-d", "bleu-1", "bleu-2", "bleu-3", "bleu-4",
    ],
    "caption-diversity": [
        "empty", "distinct-1", "distinct-2", "distinct-captions", "length-ratio",
    ],
    "caption-length": ["length"],
    "phantom-slots": ["modality", "plane", "organ", "side", "lesion", "size", "place"],
}  # fmt: skip
# Metrics of a definition share one pass, and so its functions.
DEFINITIONS: Any = {metric.definition: metric for metric in METRICS}
MEANS = {"meteor", "rouge-l", "cider-d", "empty", "length", *NAMES["phantom-slots"]}


@pytest.fixture(autouse=True)
def share_of_equal_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of METEOR, which needs WordNet and has its own tests."""

    def stand_in(references: Any, texts: Any) -> NDArray[Any]:
        return np.array([r == t for r, t in zip(references, texts, strict=True)], np.float64)

    monkeypatch.setattr(metrics, "meteor", stand_in)


def stored(references: Any, texts: Any, cut: Any = None) -> dict[Any, Any]:
    arrays = {"test_reference": references, "test_reference_cut": cut or references}
    return {k: np.array(v, object) for k, v in {**arrays, "test_text": texts}.items()}


def test_names() -> None:
    predictions = stored(TRUTH, TRUTH)
    assert {id_: list(d.compute(predictions)) for id_, d in DEFINITIONS.items()} == NAMES
    assert {i: set(d.per_case(predictions)) for i, d in DEFINITIONS.items()} == {
        id_: MEANS & set(names) for id_, names in NAMES.items()
    }
    assert [m.id for m in METRICS if m.unit != "points"] == ["caption-length/length"]
    assert DEFINITIONS["caption-length"].unit == "tokens"
    assert [metric.name for metric in METRICS if metric.direction == "down"] == ["empty"]
    scores = score("captioning", predictions)
    names = {f"{id_}/{name}" for id_, names in NAMES.items() for name in names}
    assert set(scores) == names


@settings(max_examples=40)
@given(pairs())
def test_metrics_are_the_means_of_their_cases(case: Any) -> None:
    predictions = stored(*case)
    for definition in DEFINITIONS.values():
        computed: Any = definition.compute(predictions)
        for name, values in definition.per_case(predictions).items():
            assert values.shape == (len(case[0]),) and values.dtype == np.float64
            assert np.isfinite(values).all()
            assert computed is not None
            assert values.mean() == computed[name]
    assert json.dumps(score("captioning", predictions), allow_nan=False)


def test_strings_of_numpy_do_as_well() -> None:
    predictions = stored(TRUTH, TRUTH[::-1])
    fixed = {name: texts.astype(str) for name, texts in predictions.items()}
    assert score("captioning", fixed) == score("captioning", predictions)


def test_a_perfect_model() -> None:
    scores = score("captioning", stored(TRUTH, TRUTH))
    assert scores["omnibench-captioning/cider-d"] == pytest.approx(10)
    for name in ("omnirad-captioning/bleu", "omnibench-captioning/rouge-l", "phantom-slots/place"):
        assert scores[name] == pytest.approx(1)


def test_a_model_of_one_sentence_is_seen() -> None:
    scores: Any = score("captioning", stored(TRUTH, [TRUTH[0]] * 40))
    assert scores["caption-diversity/distinct-captions"] == 1 / 40
    assert scores["caption-diversity/distinct-1"] < 0.03
    assert scores["omnibench-captioning/cider-d"] < 2 < 10 * scores["omnibench-captioning/rouge-l"]
    assert scores["phantom-slots/place"] < 0.4


def test_a_model_that_says_nothing() -> None:
    scores = score("captioning", stored(TRUTH, [""] * 40))
    undefined = {name for name, value in scores.items() if value is None}
    assert undefined == {"caption-diversity/distinct-1", "caption-diversity/distinct-2"}
    assert {name: value for name, value in scores.items() if value} == {
        "caption-diversity/empty": 1,
        "caption-diversity/distinct-captions": 1 / 40,
    }


def test_the_study_scores_against_cut_references() -> None:
    """Cut to its first word, the reference has nothing that a caption of that word lacks."""
    predictions = stored(["cyst in the lung"], ["cyst"], cut=["cyst"])
    study: Any = DEFINITIONS["omnirad-captioning"].compute(predictions)
    ours: Any = DEFINITIONS["omnibench-captioning"].compute(predictions)
    assert study is not None
    assert (study["rouge-l"], study["precision-1"], study["meteor"]) == (1, 1, 1)
    assert ours is not None
    assert ours["rouge-l"] == pytest.approx(0.4) and ours["bleu-1"] == pytest.approx(np.exp(-3))


def test_table_12s_pair_has_no_brevity_penalty() -> None:
    study: Any = DEFINITIONS["omnirad-captioning"].compute(stored(["a b c d e f g h"], ["a b c d"]))
    assert study is not None
    assert study["precision-1"] == study["precision-4"] == 1
    assert study is not None
    assert study["bleu"] == pytest.approx(np.exp(-1))


def test_other_datasets_have_no_slots() -> None:
    real = stored(["Chest X-ray with a mass."], ["Chest X-ray with a mass."])
    assert DEFINITIONS["phantom-slots"].compute(real) == {}
    assert DEFINITIONS["phantom-slots"].per_case(real) == {}


def test_importing_the_metrics_is_cheap() -> None:
    code = (
        "import sys, omnibench.tasks.captioning.metrics\n"
        "print({'torch', 'nltk', 'sacrebleu', 'rouge_score', 'transformers'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"

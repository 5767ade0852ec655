"""Views of predictions: which arrays each has, and that their metrics are of them."""

from typing import Any

import numpy as np

from omnibench.scoring import by_decoding, score

RNG = np.random.default_rng(0)
LABELS = np.array([0, 1, 0, 1, 1, 0])


def predicted(count: int = 6) -> Any:
    return RNG.normal(size=(count, 2)).astype(np.float32)


def plain() -> dict[str, Any]:
    return {
        "val_logits": predicted(4),
        "test_logits": predicted(),
        "test_labels": LABELS,
        "test_case": np.arange(6),
        "test_group": np.array(list("aabbcc")),
        "test_column:site": np.array(list("xyxyxy")),
    }


def test_predictions_without_a_view_are_one() -> None:
    arrays = plain()
    assert by_decoding(arrays) == {"": arrays}


def test_a_view_of_the_same_cases_overrides_what_it_has_and_shares_the_rest() -> None:
    arrays = {**plain(), "test_logits@noise-3": predicted()}
    views = by_decoding(arrays)
    assert list(views) == ["", "@noise-3"]
    assert views[""] == {name: array for name, array in arrays.items() if "@" not in name}
    assert views["@noise-3"] == {**views[""], "test_logits": arrays["test_logits@noise-3"]}


def test_a_view_of_other_cases_takes_nothing_of_the_test_set() -> None:
    own = {"test_logits": predicted(3), "test_labels": LABELS[:3], "test_case": np.arange(3)}
    arrays = {**plain(), **{f"{name}@other": array for name, array in own.items()}}
    views = by_decoding(arrays)
    assert views["@other"] == {"val_logits": arrays["val_logits"], **own}


def test_texts_of_several_decodings_have_no_view_of_their_own() -> None:
    arrays = {"test_case": np.arange(1), "test_text@b1-t4": np.array(["a"], object)}
    views = by_decoding({**arrays, "test_text@b2-t4": np.array(["b"], object)})
    assert list(views) == ["@b1-t4", "@b2-t4"]
    assert views["@b2-t4"]["test_text"].tolist() == ["b"]


def test_each_view_is_scored_as_the_same_predictions_alone() -> None:
    arrays = {**plain(), "test_logits@noise-3": predicted()}
    scores = score("classification", arrays)
    for view in ("", "@noise-3"):
        alone = score("classification", by_decoding(arrays)[view])
        for key, value in alone.items():
            definition, _, name = key.partition("/")
            assert scores[f"{definition}{view}/{name}"] == value
    assert len(scores) == 2 * len(alone)

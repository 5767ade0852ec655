"""The phantom's facts, found again in its captions and in what a model may say instead."""

from typing import Any

import numpy as np
import pytest

from omnibench.data.phantom import KINDS
from omnibench.data.phantom.captions import SIZES, caption, place
from omnibench.data.phantom.cases import case
from omnibench.data.phantom.slots import SLOTS, slots_of
from omnibench.tasks.captioning.slots import most_frequent, slot_matches

CASES = [case("slots", index) for index in range(600)]
FOUND = (
    "Axial unenhanced CT of the chest. "
    "There is a small solid mass of 21 mm in the middle part of the right lung."
)
NORMAL = "MR of the head (axial, T1-weighted). The brain without a focal lesion."


def facts(shown: Any) -> dict[str, Any]:
    where = place(shown)
    side = [side for side in ("left", "right") if side in where.split()]
    sick = {
        "side": side[0] if side else "none",
        "lesion": KINDS[shown.label].replace("-", " "),
        "size": next((size for size in SIZES if size in caption(shown)), None),
        "place": where,
    }
    well = dict.fromkeys(sick, "none")
    view = shown.view
    return {
        "modality": view.modality.lower(),
        "plane": view.plane,
        "organ": view.organ,
        **(sick if shown.label else well),
    }


def test_slots_are_the_inverse_of_the_grammar() -> None:
    for shown in CASES:
        assert slots_of(caption(shown)) == facts(shown)


def test_the_cases_tell_the_slots_apart() -> None:
    """Every value of every slot occurs, so none of them is found by always saying the same."""
    values = {slot: {facts(shown)[slot] for shown in CASES} for slot in SLOTS}
    assert {slot: len(actual) for slot, actual in values.items() if slot != "place"} == {
        "modality": 4, "plane": 5, "organ": 5, "side": 3, "lesion": 5, "size": 4,
    }  # fmt: skip
    assert len(values["place"]) > 30


def test_a_caption_matches_itself_alone() -> None:
    texts = [caption(shown) for shown in CASES]
    assert all(values.all() for values in slot_matches(texts, texts).values())
    shifted = slot_matches(texts, texts[90:] + texts[:90])
    assert all(0 < values.mean() < 0.8 for values in shifted.values())


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (FOUND.replace("Axial", "Frontal"), {"plane"}),
        (FOUND.replace("small", "large"), {"size"}),
        (FOUND.replace("right", "left"), {"side", "place"}),
        (FOUND.replace("solid mass", "mass"), {"lesion"}),
        (FOUND.replace("CT", "MR").upper(), {"modality"}),
        (FOUND.replace("small", "small or large"), {"size"}),
        (FOUND.split(". ")[0], {"organ", "side", "lesion", "size", "place"}),
        (FOUND[:-20], {"organ", "side", "place"}),
        (NORMAL, set(SLOTS) - {"plane"}),
        ("", set(SLOTS)),
        ("A text about something else. It says nothing.", set(SLOTS)),
    ],
)
def test_each_slot_is_judged_alone(text: Any, wrong: Any) -> None:
    matches = slot_matches([FOUND], [text])
    assert {slot for slot, values in matches.items() if not values.all()} == wrong


def test_a_normal_case_asks_for_saying_so() -> None:
    assert {slots_of(NORMAL)[slot] for slot in ("side", "lesion", "size", "place")} == {"none"}
    assert not any(values.any() for values in slot_matches([NORMAL], [""]).values())
    matches = slot_matches([NORMAL], [FOUND])
    assert [slot for slot, values in matches.items() if values.all()] == ["plane"]


def test_captions_of_other_datasets_have_no_slots() -> None:
    real = "Axial CT of the chest. There is a small cyst in the left lung."
    assert slot_matches([real, FOUND], [real, FOUND]) == {}
    assert slot_matches([FOUND, real], [FOUND, real]) == {}


def test_matches_are_numbers_of_each_caption() -> None:
    for values in slot_matches([FOUND, NORMAL], [NORMAL, NORMAL]).values():
        assert values.shape == (2,) and values.dtype == np.float64


def test_chance_is_what_the_best_constant_caption_scores() -> None:
    texts = [caption(shown) for shown in CASES[:200]]
    chances = most_frequent({"test_reference": np.array(texts, object)})
    constant = [slot_matches(texts, [text] * len(texts)) for text in texts]
    for slot in SLOTS:
        best = max(float(values[slot].mean()) for values in constant)
        assert chances[slot].value == pytest.approx(best)
    assert most_frequent({"test_reference": np.array(["A chest film."], object)}) == {}

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.label_budget import LabelBudget, normal


@pytest.mark.parametrize(
    ("text", "shortest", "suffix"),
    [
        ("100%", "100%", ""),
        ("100.0 %", "100%", ""),
        ("10%", "10%", "@10pct"),
        ("10.0%", "10%", "@10pct"),
        ("0.50%", "0.5%", "@0.5pct"),
        ("4/class", "4/class", "@4shot"),
        ("04 / class", "4/class", "@4shot"),
    ],
)
def test_a_budget_has_one_text_and_one_form_in_paths(text: str, shortest: str, suffix: str) -> None:
    assert normal(text) == shortest
    assert LabelBudget.from_text(shortest).suffix == suffix


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0%", "more than 0% and at most 100%"),
        ("100.1%", "more than 0% and at most 100%"),
        ("0/class", "give 1/class or more"),
        ("10", "write a share such as 10%, or 4/class"),
        (10, "'10' is no label budget"),
        (0.1, "'0.1' is no label budget"),
        ("-1%", "no label budget"),
        ("1e1%", "no label budget"),
        ("٣%", "no label budget"),
        ("4/Class", "no label budget"),
        ("../4/class", "no label budget"),
        ("", "no label budget"),
        (None, "no label budget"),
    ],
)
def test_what_is_no_budget_is_refused_with_the_way_out(text: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        normal(text)


@given(st.integers(1, 5000), st.fractions(0, 1), st.fractions(0, 1))
def test_a_share_takes_one_image_at_least_and_never_fewer_for_more(
    images: int, one: Fraction, other: Fraction
) -> None:
    low, high = sorted((one, other))
    if low > 0:
        few, many = LabelBudget(share=low).of(images), LabelBudget(share=high).of(images)
        assert 1 <= few <= many <= images
        # Half of an image is rounded up, in exact arithmetic.
        assert few == max(1, (2 * low * images + 1) // 2)


def test_a_half_is_rounded_up_where_floats_would_not() -> None:
    assert LabelBudget.from_text("0.1%").of(1500) == 2
    assert LabelBudget.from_text("14.5%").of(100) == 15  # 0.145 * 100 = 14.499999999999998
    assert LabelBudget.from_text("1%").of(6) == 1


def test_shots_take_all_of_a_class_that_has_fewer() -> None:
    assert LabelBudget(shots=4).of_classes({"a": 100, "b": 3, "c": 0}) == 7

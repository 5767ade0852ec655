"""GRIM and GRIMMER against enumerating every possible set of runs, and on the shipped tables."""

import itertools
from collections.abc import Iterator
from fractions import Fraction
from math import floor

import pytest

from omnibench.audit.grim import Printed, decides, grim, grimmer, possible_n
from omnibench.audit.published import Row
from omnibench.audit.reading import read_table
from omnibench.audit.shipped import find_tables
from omnibench.audit.study import FOUR_DECIMALS


def rounded(value: Fraction, decimals: int) -> set[Fraction]:
    """A number rounded half down and half up."""
    unit = value * 10**decimals
    halves = {-floor(-(unit - Fraction(1, 2))), floor(unit + Fraction(1, 2))}
    return {Fraction(h, 10**decimals) for h in halves}


def every_set_of_runs(images: int, n: int, decimals: int | None) -> Iterator[tuple[Fraction, ...]]:
    """Each multiset of n accuracies, rounded one by one or not."""
    if decimals is None:
        values = {Fraction(k, images) for k in range(images + 1)}
    else:
        values = set().union(*(rounded(Fraction(k, images), decimals) for k in range(images + 1)))
    return itertools.combinations_with_replacement(sorted(values), n)


def mean_of(runs: tuple[Fraction, ...]) -> Fraction:
    return sum(runs, Fraction(0)) / len(runs)


def variance(runs: tuple[Fraction, ...], ddof: int) -> Fraction:
    mean = mean_of(runs)
    return sum(((run - mean) ** 2 for run in runs), Fraction(0)) / (len(runs) - ddof)


@pytest.mark.parametrize("images", [6, 7, 16])
@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("decimals", [None, 2])
def test_grim_is_what_enumeration_finds(images: int, n: int, decimals: int | None) -> None:
    possible = {
        mean
        for runs in every_set_of_runs(images, n, decimals)
        for mean in rounded(mean_of(runs), 3)
    }
    for digits in range(1001):
        mean = Printed(Fraction(digits, 1000), Fraction(1, 2000))
        assert grim(mean, images, n, decimals) == (mean.value in possible), digits


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize(("images", "n"), [(9, 2), (9, 3), (5, 4)])
def test_grimmer_of_unrounded_runs_is_what_enumeration_finds(
    images: int, n: int, ddof: int
) -> None:
    half = Fraction(1, 200)
    possible = set()
    for runs in every_set_of_runs(images, n, None):
        square = variance(runs, ddof)
        for std in range(60):
            low, high = max(Fraction(std, 100) - half, Fraction(0)), Fraction(std, 100) + half
            if low**2 <= square <= high**2:
                possible |= {(mean, std) for mean in rounded(mean_of(runs), 2)}
    for digits in range(101):
        for std in range(60):
            mean = Printed(Fraction(digits, 100), half)
            actual = grimmer(mean, Printed(Fraction(std, 100), half), images, n, None, (ddof,))
            assert actual == ((mean.value, std) in possible), (digits, std)


def test_grimmer_of_rounded_runs_never_rules_out_what_enumeration_finds() -> None:
    for runs in every_set_of_runs(11, 3, 2):
        deviation = Fraction(round(float(variance(runs, 1)) ** 0.5 * 1000), 1000)
        std = Printed(deviation, Fraction(1, 2000) + Fraction(1, 10**9))
        for value in rounded(mean_of(runs), 3):
            assert grimmer(Printed(value, Fraction(1, 2000)), std, 11, 3, 2)


def test_a_possible_mean_with_an_impossible_deviation() -> None:
    # 2 runs of 10 images: a mean of 0.55 needs 5 and 6 (SD .07), 4 and 7 (.21), ....
    mean = Printed.from_text("0.55", percent=False)
    assert grim(mean, 10, 2, None)
    assert grimmer(mean, Printed.from_text("0.07", percent=False), 10, 2, None)
    assert not grimmer(mean, Printed.from_text("0.14", percent=False), 10, 2, None)


def test_printed_numbers_keep_their_digits() -> None:
    assert Printed.from_text("91.60") == Printed(Fraction(916, 1000), Fraction(1, 20000))
    assert Printed.from_text("91.6").half == Fraction(1, 2000)
    assert Printed.from_text("0.5", percent=False).low == Fraction(45, 100)
    assert Printed.from_text("0.00").low == 0


def test_many_images_decide_nothing_and_answer_at_once() -> None:
    mean, std = Printed.from_text("97.30"), Printed.from_text("0.32")
    assert possible_n(mean, 17778, range(2, 11), FOUR_DECIMALS) == list(range(2, 11))
    assert not decides(mean, 17778, 5)
    assert grimmer(mean, std, 17778, 10, FOUR_DECIMALS)
    assert decides(mean, 624, 5)


def test_more_than_all_images_right_is_impossible() -> None:
    for decimals in (None, FOUR_DECIMALS):
        assert not grim(Printed.from_text("100.02"), 156, 5, decimals)
        assert grim(Printed.from_text("100.00"), 156, 5, decimals)


@pytest.mark.parametrize(
    ("decimals", "misfits", "fitting"), [(FOUR_DECIMALS, 11, 19), (None, 13, 18)]
)
def test_shipped_accuracies_rule_out_five_runs_and_fit_three(
    decimals: int | None, misfits: int, fitting: int
) -> None:
    rows = [
        row
        for path in find_tables("omnirad")[:2]
        for row in read_table(path)
        if row.is_accuracy and row.n == 5
    ]
    assert {row.dataset for row in rows} == {"BreastMNIST", "PneumoniaMNIST"}
    assert len(rows) == 20

    def fits(row: Row, n: int) -> bool:
        assert row.test_images is not None
        return grim(row.printed(row.mean), row.test_images, n, decimals)

    of = {n: [fits(row, n) for row in rows] for n in (3, 5)}
    assert of[5].count(False) == misfits
    assert of[3].count(True) == fitting

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from statsmodels.stats.contingency_tables import mcnemar as theirs

from omnibench.stats.case_tests import mcnemar
from omnibench.stats.result import RefusedError


def right(
    both: int, only_a: int, only_b: int, neither: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    a = np.repeat([True, True, False, False], [both, only_a, only_b, neither])
    b = np.repeat([True, False, True, False], [both, only_a, only_b, neither])
    return a, b, np.arange(len(a))


@pytest.mark.parametrize("table", [(50, 9, 1, 3), (10, 3, 4, 0), (80, 12, 12, 5), (0, 6, 0, 0)])
def test_few_discordant_cases_are_statsmodels_exact(table: tuple[int, int, int, int]) -> None:
    actual = mcnemar(*right(*table))
    both, only_a, only_b, neither = table
    expected = theirs([[both, only_a], [only_b, neither]], exact=True)
    assert actual.p == pytest.approx(expected.pvalue)
    assert actual.difference == pytest.approx((only_a - only_b) / sum(table))
    assert actual.test == "McNemar (exact)"


@pytest.mark.parametrize("table", [(50, 19, 6, 3), (10, 30, 40, 0), (5, 18, 13, 5)])
def test_many_are_statsmodels_chi_square(table: tuple[int, int, int, int]) -> None:
    actual = mcnemar(*right(*table))
    both, only_a, only_b, neither = table
    expected = theirs([[both, only_a], [only_b, neither]], exact=False, correction=True)
    assert actual.p == pytest.approx(expected.pvalue)


def test_interval_covers_as_it_says() -> None:
    rng = np.random.default_rng(0)
    actual = []
    for _ in range(2000):
        kind = rng.choice(4, p=[0.6, 0.2, 0.1, 0.1], size=200)
        item = mcnemar(kind < 2, (kind == 0) | (kind == 2), np.arange(200))
        actual.append(item.low <= 0.1 <= item.high)
    assert 0.94 <= np.mean(actual) <= 0.965


def test_under_the_null_at_most_five_percent_are_rejected() -> None:
    rng = np.random.default_rng(1)
    rejected = []
    for _ in range(2000):
        a, b = rng.random((2, 60)) < 0.8
        try:
            rejected.append(mcnemar(a, b, np.arange(60)).p < 0.05)
        except RefusedError:
            rejected.append(False)
    assert np.mean(rejected) <= 0.06


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (right(20, 5, 0, 3), r"5 discordant .* 0\.0625"),
        (right(20, 0, 0, 3), "right on the same cases"),
        ((np.ones(4, bool), np.ones(3, bool), np.arange(4)), "not tested on the same"),
        ((*right(20, 9, 1, 3)[:2], np.arange(33) // 2), "share patients"),
    ],
)
def test_refusals_name_what_is_wrong(
    arguments: tuple[NDArray[Any], NDArray[Any], NDArray[Any]], reason: str
) -> None:
    with pytest.raises(RefusedError, match=reason):
        mcnemar(*arguments)

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.audit.implied import aggregate, implied_n
from omnibench.audit.reading import read_table
from omnibench.audit.shipped import find_tables
from omnibench.audit.spreads import Member, spreads


def members_of(values: NDArray[Any], decimals: int) -> list[Member]:
    """[datasets, runs] as a table prints them."""
    half = 0.5 * 10**-decimals
    return [
        Member(round(v.mean(), decimals), round(v.std(ddof=1), decimals), half, half)
        for v in values
    ]


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_deviation_over_datasets_and_runs_gives_their_number_away(n: int) -> None:
    rng = np.random.default_rng(n)
    values = rng.normal(rng.normal(85, 7, size=(6, 1)), 0.4, size=(6, n))
    printed = round(values.std(ddof=1), 3)
    actual = {value.name: value.n for value in spreads(printed, 0.0005, members_of(values, 3))}
    assert actual == {"SD over datasets x runs (ddof=1)": (n,)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SD over datasets (ddof=1)", lambda v: v.mean(1).std(ddof=1)),
        ("SD over datasets (ddof=0)", lambda v: v.mean(1).std()),
        ("standard error over datasets", lambda v: v.mean(1).std(ddof=1) / np.sqrt(len(v))),
        ("standard error over datasets x runs", lambda v: v.std(ddof=1) / np.sqrt(v.size)),
        ("mean of the datasets' SD", lambda v: v.std(1, ddof=1).mean()),
    ],
)
def test_each_reading_is_found_under_its_name(name: str, value: Callable[..., Any]) -> None:
    rng = np.random.default_rng(8)
    values = rng.normal(rng.normal(85, 7, size=(6, 1)), 2.0, size=(6, 4))
    actual = {item.name: item.n for item in spreads(value(values), 5e-7, members_of(values, 6))}
    assert list(actual) == [name]
    assert actual[name] == ((4,) if "runs" in name else ())


def test_with_ddof_0_throughout_the_runs_cannot_be_told() -> None:
    rng = np.random.default_rng(9)
    values = rng.normal(rng.normal(85, 7, size=(6, 1)), 2.0, size=(6, 4))
    members = [Member(v.mean(), v.std(), 5e-7, 5e-7) for v in values]
    actual = {member.name: member.n for member in spreads(values.std(), 5e-7, members)}
    assert actual == {"SD over datasets x runs (ddof=0)": ()}


def test_members_without_deviations_allow_no_reading_over_runs() -> None:
    actual = spreads(5.0, 0.005, [Member(80, None, 0.005), Member(90, None, 0.005)])
    assert [item.name for item in actual] == [
        "SD over datasets (ddof=0)",
        "standard error over datasets",  # of two datasets, the same number
    ]


def test_rounding_never_rules_out_the_truth() -> None:
    rng = np.random.default_rng(10)
    for _ in range(200):
        values = rng.normal(rng.normal(85, 3, size=(4, 1)), 1.0, size=(4, 3))
        actual = spreads(round(values.std(ddof=1), 1), 0.05, members_of(values, 1))
        assert any(
            3 in item.n for item in actual if item.name == "SD over datasets x runs (ddof=1)"
        )


def test_shipped_table_11_holds_three_runs() -> None:
    rows = [row for path in find_tables("omnirad") for row in read_table(path)]
    actual = [aggregate(row, rows) for row in rows if row.members]
    miou = [item for item in actual if item.row.metric == "miou"]
    assert len(miou) == 14
    assert {item.datasets for item in miou} == {8}
    assert [item.n for item in miou].count([3]) == 13
    assert [item.row.model for item in miou if not item.n] == ["DINO base"]
    assert {item.spread for item in miou if item.n} == {"SD over datasets x runs (ddof=1)"}
    assert all(item.mean_follows for item in miou)
    others = [item for item in actual if item.row.metric != "miou"]
    assert len(others) == 28
    assert all(item.n == [] and item.spread is None for item in others)
    assert implied_n(5, [], actual) == 3
    assert implied_n(3, [], actual) is None

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.audit.implied import aggregate, implied_n
from omnibench.audit.published import read_table
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
    found = {one.name: one.n for one in spreads(printed, 0.0005, members_of(values, 3))}
    assert found == {"SD over datasets x runs (ddof=1)": (n,)}


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
    found = {one.name: one.n for one in spreads(value(values), 5e-7, members_of(values, 6))}
    assert list(found) == [name]
    assert found[name] == ((4,) if "runs" in name else ())


def test_with_ddof_0_throughout_the_runs_cannot_be_told() -> None:
    rng = np.random.default_rng(9)
    values = rng.normal(rng.normal(85, 7, size=(6, 1)), 2.0, size=(6, 4))
    members = [Member(v.mean(), v.std(), 5e-7, 5e-7) for v in values]
    found = {one.name: one.n for one in spreads(values.std(), 5e-7, members)}
    assert found == {"SD over datasets x runs (ddof=0)": ()}


def test_members_without_deviations_allow_no_reading_over_runs() -> None:
    found = spreads(5.0, 0.005, [Member(80, None, 0.005), Member(90, None, 0.005)])
    assert [one.name for one in found] == [
        "SD over datasets (ddof=0)",
        "standard error over datasets",  # of two datasets, the same number
    ]


def test_rounding_never_rules_out_the_truth() -> None:
    rng = np.random.default_rng(10)
    for _ in range(200):
        values = rng.normal(rng.normal(85, 3, size=(4, 1)), 1.0, size=(4, 3))
        found = spreads(round(values.std(ddof=1), 1), 0.05, members_of(values, 1))
        assert any(3 in one.n for one in found if one.name == "SD over datasets x runs (ddof=1)")


def test_shipped_table_11_holds_three_runs() -> None:
    rows = [row for path in find_tables("omnirad") for row in read_table(path)]
    found = [aggregate(row, rows) for row in rows if row.members]
    miou = [one for one in found if one.row.metric == "miou"]
    assert len(miou) == 14
    assert {one.datasets for one in miou} == {8}
    assert [one.n for one in miou].count([3]) == 13
    assert [one.row.model for one in miou if not one.n] == ["DINO base"]
    assert {one.spread for one in miou if one.n} == {"SD over datasets x runs (ddof=1)"}
    assert all(one.mean_follows for one in miou)
    others = [one for one in found if one.row.metric != "miou"]
    assert len(others) == 28
    assert all(one.n == [] and one.spread is None for one in others)
    assert implied_n(5, [], found) == 3
    assert implied_n(3, [], found) is None

"""What a recipe's axes show in the report."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from omnibench.report.settings import axes, idle, setting_tables
from omnibench.states import CellState
from omnibench.stats.compare import Rules
from tests.report.page_records import unit

METRIC = "omnirad-classification/auc"
# input size -> backbone -> AUC of two repetitions.
AREAS = {64: {"base": (0.6, 0.7), "good": (0.8, 0.9)}, 32: {"base": (0.7, 0.8), "good": (0.6, 0.7)}}


@pytest.fixture
def study() -> Any:
    """Two backbones under two input sizes and two poolings; one pools alike in both."""
    finished = []
    for size, areas in AREAS.items():
        for pool in ("card", "mean"):
            for backbone, values in areas.items():
                plain = unit(backbone, "linear")
                recipe = {**plain.recipe, "input_size": size, "pool": pool}
                short = "linear" + ("" if size == 64 else "@input_size-32")
                short += "" if pool == "card" else "@pool-mean"
                own = replace(
                    plain,
                    recipe=recipe,
                    short=short,
                    axes=("input_size", "pool"),
                    repetitions=(0, 1),
                )
                for cell, value in zip(own.cells, values, strict=True):
                    shift = 0.01 if (pool, backbone) == ("mean", "good") else 0.0
                    record = {"metrics": {METRIC: value + shift}}
                    finished.append((CellState(cell, "done", record=record), record))
    names = SimpleNamespace(rules=Rules(primary={"classification": METRIC}), finished=finished)
    names.named = lambda backbone: backbone.capitalize()
    return names


def test_an_axis_is_compared_where_all_else_is_equal(study: Any) -> None:
    places = [(axis.adaptation, axis.name, list(axis.records)) for axis in axes(study)]
    assert places == [
        ("linear", "input_size", [64, 32]),
        ("linear", "pool", ["card", "mean"]),
        ("linear@pool-mean", "input_size", [64, 32]),
        ("linear@input_size-32", "pool", ["card", "mean"]),
    ]


def test_a_table_says_whether_the_order_turns_and_which_pairs_do(study: Any) -> None:
    size, pool, *_ = setting_tables(study)
    assert size.texts == (("64", "32", "2", "-1.00", "Good", "Base", "Good - Base"),)
    assert pool.texts == (("card", "mean", "2", "1.00", "Good", "Good", "none"),)
    assert size.title == "Does the ranking depend on input_size? linear: dots"


def test_a_setting_that_changes_no_bit_is_named(study: Any) -> None:
    sentences = [sentence for axis in axes(study) for sentence in idle(study, axis)]
    assert sentences == [
        f"dots, {short}: pool card and mean give the same numbers in every bit for Base, so that "
        "this setting does nothing there."
        for short in ("linear", "linear@input_size-32")
    ]

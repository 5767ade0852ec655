"""Axes of a recipe: a unit of each value, and only where a field takes one."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from omnibench.axes import settings
from omnibench.catalogue import tasks
from omnibench.errors import RequestError
from omnibench.sources import Sources
from omnibench.suite import load

ADAPTATIONS = tasks.get("classification").adaptations


def given(recipe: Mapping[str, Any], adaptation: str = "linear") -> list[tuple[Any, str]]:
    made = settings(recipe, ADAPTATIONS[adaptation].recipes, "recipe")
    return [(setting.request, setting.suffix) for setting in made]


def test_a_list_gives_every_combination_and_the_usual_value_the_plain_form() -> None:
    recipe = {"input_size": [224, 448], "pool": ["card", "mean"], "epochs": 3}
    expected = itertools.product((224, 448), ("card", "mean"))
    assert given(recipe) == [
        (
            {"input_size": size, "pool": pool, "epochs": 3},
            ("" if size == 224 else "@input_size-448") + ("" if pool == "card" else "@pool-mean"),
        )
        for size, pool in expected
    ]


def test_a_field_that_takes_several_values_is_no_axis() -> None:
    rates = {"lr": [1e-3, 1e-2]}
    assert given(rates) == [(rates, "")]
    assert [suffix for _, suffix in given(rates, "full")] == ["@lr-0.001", "@lr-0.01"]
    betas = {"betas": [0.9, 0.99]}
    assert given(betas, "full") == [(betas, "")]


def test_a_field_of_no_use_to_an_adaptation_multiplies_nothing() -> None:
    epochs = {"epochs": [5, 10]}
    assert given(epochs, "knn") == [(epochs, "")]


@pytest.mark.parametrize(
    ("values", "message"),
    [([], "an empty list"), ([32, 32], "32 stands twice")],
)
def test_a_wrong_axis_is_refused_by_its_path(values: list[int], message: str) -> None:
    with pytest.raises(RequestError, match=rf"recipe\.input_size: {message}"):
        given({"input_size": values})


def test_axes_that_multiply_are_counted_before_any_is_made() -> None:
    sizes = list(range(1, 200))
    recipe = {"input_size": sizes, "limit": sizes, "epochs": sizes}
    with pytest.raises(RequestError, match="its axes have 7,880,599 combinations"):
        given(recipe)


def suite_of(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": "s",
        "repetitions": 3,
        "backbones": ["random-vit-tiny"],
        "matrix": [
            {
                "task": "classification",
                "datasets": ["phantom"],
                "adaptations": ["linear", "knn"],
                "recipe": recipe,
            }
        ],
    }


def test_units_of_an_axis_pair_and_the_usual_one_keeps_its_digest(tmp_path: Path) -> None:
    units = load(suite_of({"input_size": [224, 448]}), Sources(tmp_path, tmp_path)).units
    plain = load(suite_of({}), Sources(tmp_path, tmp_path)).units
    names = [unit.short for unit in units]
    assert names == ["linear", "linear@input_size-448", "knn", "knn@input_size-448"]
    assert [unit.axes for unit in units] == [("input_size",)] * 4
    for unit, other in zip(units[::2], plain, strict=True):
        assert [cell.digest for cell in unit.cells] == [cell.digest for cell in other.cells]
    assert units[0].pairing(0) == units[1].pairing(0)
    assert len({cell.digest for unit in units for cell in unit.cells}) == 8


def test_a_class_token_that_a_backbone_lacks_blocks_it_in_plan(tmp_path: Path) -> None:
    suite = suite_of({"pool": ["card", "cls"]})
    suite["backbones"] = ["random-efficientnet-lite0"]
    blocked = {unit.short: unit.needs for unit in load(suite, Sources(tmp_path, tmp_path)).units}
    assert blocked["linear"] == ()
    assert "no class token; set pool='mean' in the recipe" in blocked["linear@pool-cls"][0]

from pathlib import Path
from typing import Any

import pytest

from omnibench.errors import RequestError
from omnibench.recipe import Recipe, native_precision, resolve_recipe


class Trained(Recipe):
    epochs: int = 5


RECIPES = {"small": Trained(), "large": Trained(epochs=50, input_size=448, precision="fp32")}


def test_auto_precision_stays_auto_and_a_recipe_keeps_its_name() -> None:
    name, recipe = resolve_recipe("small", RECIPES, "recipe")
    assert (name, recipe["precision"]) == ("small", "auto")
    name, recipe = resolve_recipe("large", RECIPES, "recipe")
    assert (name, recipe["precision"]) == ("large", "fp32")


def test_a_device_has_one_precision_whatever_else_the_machine_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for flags, own in (("fma avx512_bf16", "bf16"), ("fma avx2", "fp32")):
        native_precision.cache_clear()
        monkeypatch.setattr(Path, "read_text", lambda *_, flags=flags, **__: flags)
        assert native_precision("cpu") == own
        assert native_precision("cuda:1") == "bf16"
        assert native_precision("mps") == "fp32"
    native_precision.cache_clear()


def test_overrides_are_laid_over_the_named_base() -> None:
    name, resolved = resolve_recipe({"base": "large", "epochs": 3}, RECIPES, "recipe")
    assert (name, resolved["epochs"], resolved["input_size"]) == ("large", 3, 448)


def test_a_common_field_without_use_stays_out_of_the_identity() -> None:
    assert "weight_decay" not in resolve_recipe({"weight_decay": 0.1}, RECIPES, "recipe")[1]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ("huge", r"recipe: unknown recipe 'huge' \(there are: small, large\)"),
        ({"epoch": 3}, r"recipe\.epoch: unknown field; did you mean epochs"),
        ({"epochs": "many"}, r"recipe\.epochs: should be a valid integer"),
        ({"input_size": 0}, r"recipe\.input_size: should be greater than 0"),
        (
            {"normalization": "imagnet"},
            r"recipe\.normalization: should be 'backbone' or 'imagenet'",
        ),
    ],
)
def test_a_wrong_recipe_is_named_by_its_path(request_: dict[str, Any] | str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        resolve_recipe(request_, RECIPES, "recipe")

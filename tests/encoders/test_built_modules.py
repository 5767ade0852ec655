"""Backbones that a function of a plug-in builds."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from omnibench.cards import BackboneCard
from omnibench.catalogue import load_plugin
from omnibench.encoders.builders import build_module
from omnibench.errors import RequestError, WeightsError

PLUGIN = """\
from torch import nn


def build(width: int, bias: bool = True):
    if width > 9:
        return inner(width)
    return nn.Conv2d(3, width, 16, 16, bias=bias)


def inner(width):
    raise ValueError(f"no\\nwidth {width}")


number = 3
"""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plugin") / "plugin_with_arguments.py"
    path.write_text(PLUGIN)
    load_plugin(path)
    return path


def built(name: str, arguments: dict[str, Any]) -> Any:
    card = BackboneCard(id="x", source=f"plugin_with_arguments:{name}", arguments=arguments)
    return build_module(card)


def test_a_builder_gets_the_arguments_of_its_card(plugin: Path) -> None:
    assert built("build", {"width": 8}).weight.shape == (8, 3, 16, 16)
    assert built("build", {"width": 4, "bias": False}).bias is None


@pytest.mark.parametrize(
    ("name", "arguments", "error", "reason"),
    [
        ("build", {}, RequestError, r"\(line 4 of .*py\) cannot be called with arguments={}: mis"),
        ("build", {"width": 1, "x": 2}, RequestError, "unexpected keyword argument 'x'"),
        ("build", {"width": 10}, WeightsError, r"failed at line 11 of .*py: ValueError: no width"),
        ("number", {}, RequestError, "is of type int and cannot be called"),
        ("none", {}, RequestError, "'plugin_with_arguments' has no 'none'"),
    ],
)
def test_a_builder_that_fails_is_named_with_its_line(
    plugin: Path, name: str, arguments: dict[str, int], error: type[Any], reason: str
) -> None:
    with pytest.raises(error, match=rf"^x: .*{reason}") as caught:
        built(name, arguments)
    assert "\n" not in str(caught.value)


def test_arguments_are_for_builders_alone() -> None:
    with pytest.raises(ValidationError, match="arguments are for a module:attribute builder"):
        BackboneCard(id="x", source="random:test_vit", arguments={"depth": 2})
    card = BackboneCard(id="x", source="a:b", arguments={"a": 1, "b": 1.0, "c": True, "d": "1"})
    assert [type(value) for value in card.arguments.values()] == [int, float, bool, str]

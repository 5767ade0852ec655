"""Axes of a recipe: a list where a field takes one value gives a unit of each. No torch here."""

import itertools
import math
import types
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from omnibench.errors import RequestError
from omnibench.recipe import Recipe

Value = str | int | float | bool | None  # of a field; a list of lists is no axis
MOST = 1000  # combinations of a block's axes


@dataclass(frozen=True)
class Setting:
    """One value of each axis of a recipe.

    Attributes:
        request: the recipe's overrides, each axis at its value.
        axes: the fields that are varied.
        suffix: what a unit's short form has of them: "@input_size-448"; a value that the named
            recipe has anyway is left out, so that such a unit is the plain one.
    """

    request: str | Mapping[str, Any]
    axes: tuple[str, ...] = ()
    suffix: str = ""


def settings(
    request: str | Mapping[str, Any], recipes: Mapping[str, Recipe], where: str
) -> list[Setting]:
    """Return each combination of the values that a recipe's axes have, in the order written.

    A field that an adaptation has no use for is no axis of it.

    Args:
        request: as of a suite's block.
        recipes: the adaptation's, by name.
        where: the recipe's path in the suite file, for messages.

    Raises:
        RequestError: an axis has no value, or one twice, or there are more than MOST combinations.
    """
    recipe = recipes.get(_base(request))
    if isinstance(request, str) or recipe is None:
        return [Setting(request)]
    fields = type(recipe).model_fields
    axes = {
        name: value
        for name, value in request.items()
        if isinstance(value, list)
        and all(isinstance(each, Value) for each in value)
        and name in fields
        and not _takes_several(fields[name])
    }
    for name, values in axes.items():
        if not values:
            raise RequestError(f"{where}.{name}: an empty list; give a value, or several")
        if twice := [value for value, count in Counter(map(str, values)).items() if count > 1]:
            raise RequestError(f"{where}.{name}: {twice[0]:.40} stands twice; leave one")
    if (count := math.prod(map(len, axes.values()))) > MOST:
        raise RequestError(
            f"{where}: its axes have {count:,} combinations, more than {MOST:,}; make several "
            "blocks or suites of them"
        )
    varied = tuple(name for name, values in axes.items() if len(values) > 1)
    usual = recipe.model_dump(mode="json")
    made = []
    for combination in itertools.product(*axes.values()):
        chosen = dict(zip(axes, combination, strict=True))
        other = [f"@{name}-{chosen[name]}" for name in varied if chosen[name] != usual[name]]
        made.append(Setting({**request, **chosen}, varied, "".join(other)))
    return made


def _base(request: str | Mapping[str, Any]) -> str:
    return request if isinstance(request, str) else str(request.get("base", "small"))


def _takes_several(field: Any) -> bool:
    """Return whether a field's type takes a list, or a model that may be written as one."""
    pending = [field.annotation]
    while pending:
        kind = pending.pop()
        origin = get_origin(kind)
        if origin in (tuple, list) or (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return True
        if origin is not None or isinstance(kind, types.UnionType):
            pending.extend(get_args(kind))
    return False

"""pydantic's complaints as one sentence: the path to the field, what is wrong, near matches."""

from collections.abc import Iterator
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from omnibench.errors import RequestError
from omnibench.registry import did_you_mean

M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], value: Any, where: str = "") -> M:
    """Return `value` as a `model`; `where` is its own path, put before the field's.

    Raises:
        RequestError: naming the path of the first wrong field, with near matches for its name.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise RequestError(_sentence(error, model, where)) from None


def _sentence(error: ValidationError, model: type[BaseModel], where: str) -> str:
    complaints = error.errors(include_url=False)
    first = complaints[0]
    path, names = where, set(_field_names(model))
    steps = list(first["loc"])
    for index, step in enumerate(steps):
        last = index == len(steps) - 1
        if isinstance(step, int):
            path += f"[{step}]"
        elif step in names or (last and first["type"] == "extra_forbidden"):
            # Any other name is one that pydantic gives to a union's branch.
            path += f".{step}" if path else step
    if first["type"] == "extra_forbidden":
        message = "unknown field" + did_you_mean(str(steps[-1]), names)
    else:
        message = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{path or 'it'}: {message}"


def _field_names(model: type[BaseModel]) -> Iterator[str]:
    """The names of a model's fields and of those of the models inside it."""
    for name, field in model.model_fields.items():
        yield name
        pending = [field.annotation]
        while pending:
            kind = pending.pop()
            if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not model:
                yield from _field_names(kind)
            pending.extend(get_args(kind))

"""The fields of a pydantic model as its docstrings, types and defaults tell them."""

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

SECTION = re.compile(r"^Attributes:\n((?:[ ].*\n?|\n)+)", re.MULTILINE)
ATTRIBUTE = re.compile(r"^    (\w+(?:, \w+)*): (.*(?:\n {8}.*)*)", re.MULTILINE)
LIMITS = {
    "exclusiveMinimum": "more than",
    "minimum": "at least",
    "exclusiveMaximum": "less than",
    "maximum": "at most",
}


@dataclass(frozen=True)
class DocumentedField:
    """A field as a page shows it.

    Attributes:
        kind: what a value may be, in words.
        default: as YAML writes it; None where a value is needed.
        description: of its model's docstring, or of that of the nearest base; "" if there is none.
    """

    name: str
    kind: str
    default: str | None
    description: str


def attributes(kind: type) -> Mapping[str, str]:
    """Return what the section Attributes of a class's own docstring says, by name."""
    section = SECTION.search(inspect.cleandoc(vars(kind).get("__doc__") or ""))
    return {
        name: " ".join(text.split())
        for names, text in (ATTRIBUTE.findall(section[1]) if section else ())
        for name in names.split(", ")
    }


def documented(model: type[BaseModel]) -> Iterator[DocumentedField]:
    """Yield the fields of a model in their order."""
    schema = model.model_json_schema()
    models = schema.get("$defs", {})
    if "$ref" in schema:  # a model that holds itself
        schema = models[model.__name__]
    texts: dict[str, str] = {}
    for base in reversed(model.__mro__):
        texts.update(attributes(base))
    for name, field in model.model_fields.items():
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        yield DocumentedField(
            name,
            in_words(schema["properties"][name], models),
            None if field.is_required() else written(default),
            texts.get(name, ""),
        )


def written(value: Any) -> str:
    """Return a value as a suite may write it."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", exclude_defaults=True)
    return json.dumps(value, ensure_ascii=False, default=str)


def in_words(schema: Mapping[str, Any], models: Mapping[str, Any]) -> str:
    """Return what a JSON schema allows.

    Args:
        models: the schemas that `$ref` names.
    """
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return in_words(models[name], models) if "enum" in models[name] else f"`{name}`"
    if "const" in schema:
        return f"`{written(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{written(value)}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(in_words(part, models) for part in schema["anyOf"]))
    kind = schema.get("type", "anything")
    if kind == "array":
        if "prefixItems" in schema:
            parts = [in_words(part, models) for part in schema["prefixItems"]]
            return f"[{', '.join(parts)}]"
        return f"list of {in_words(schema.get('items', {}), models)}"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"name -> {in_words(values, models)}" if isinstance(values, dict) else "mapping"
    limits = [f"{words} {schema[key]:g}" for key, words in LIMITS.items() if key in schema]
    if "pattern" in schema:
        limits.append(f"`{schema['pattern']}`")
    return " ".join([{"string": "text", "boolean": "true or false"}.get(kind, kind), *limits])

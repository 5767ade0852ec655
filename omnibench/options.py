"""What an adaptation's option is, told by its type, and its form in paths and in identities."""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel

from omnibench.cell import digest_of
from omnibench.files import expanded


@dataclass(frozen=True)
class Place:
    """Of an option's type: its value names something on this machine, from the suite's folder on.

    Attributes:
        holds: "path", a file or folder that is read; or "dataset", a dataset's name or `KIND:PATH`.
        in_short: whether the short form of an adaptation holds it.
    """

    holds: str
    in_short: bool = True


# A file or folder, from the suite file on; its content is part of the identity, its folder is not.
LocalPath = Annotated[str, Place("path")]
# A dataset, as a suite names it.
DatasetReference = Annotated[str, Place("dataset")]
# The same, by which a training is watched: it is no part of the name in paths and tables.
WATCHING = Place("dataset", in_short=False)
WatchedBy = Annotated[str | None, WATCHING]

LONGEST = 40  # characters of a text in a short form; a longer one is cut and gets a hash


@functools.cache
def places(model: type[BaseModel]) -> Mapping[str, Place]:
    """Return the options of a model that name something on this machine."""
    return {
        name: kind
        for name, field in model.model_fields.items()
        for kind in (*field.metadata, *_markers(field.annotation))
        if isinstance(kind, Place)
    }


def _markers(annotation: Any) -> Iterator[Any]:
    """Yield what a type and its parts are annotated with, as in `LocalPath | None`."""
    yield from getattr(annotation, "__metadata__", ())
    for part in get_args(annotation):
        yield from _markers(part)


def located(model: type[BaseModel], options: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Return a model's options with the paths that they hold taken from `base` on."""
    whole = dict(options)
    for name, kind in places(model).items():
        if options[name] is not None:
            head, path = _split(kind, options[name])
            whole[name] = head + str(base.absolute() / expanded(path)) if path else head
    return whole


def portable(kind: Place | None, value: Any) -> Any:
    """Return an option's value without the folders of this machine."""
    if value is None or kind is None:
        return value
    head, path = _split(kind, value)
    return head + Path(path).name


def _split(kind: Place, value: str) -> tuple[str, str]:
    """Return what is no path, such as `npz:` or a dataset's name, and the path; "" for none."""
    if kind.holds == "path":
        return "", value
    head, colon, path = value.partition(":")
    return head + colon, path


def differing(model: type[BaseModel], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return, in portable form, the options that differ from their defaults."""
    kinds = places(model)
    return {
        name: portable(kinds.get(name), options[name]) for name in _differing_names(model, options)
    }


def short(name: str, model: type[BaseModel], options: Mapping[str, Any]) -> str:
    """Return the form in paths and tables: `lora-r8-a16`; options at their default are left out.

    An option is written as its initial and its value, or as `name=value` where an option before it
    has that initial: one that joins a model later changes no form there was. Two different
    settings of numbers and texts never have the same form; of a path it holds the last part alone.
    """
    parts = [name]
    initials: set[str] = set()
    kinds = places(model)
    named = set(_differing_names(model, options))
    for option in model.model_fields:
        kind = kinds.get(option)
        taken = option[0] in initials
        if kind is None:
            initials.add(option[0])
        if option not in named or (kind is not None and not kind.in_short):
            continue
        if kind is not None:
            parts.append(_path_safe(portable(kind, options[option]), allowed="-"))
        else:
            text = _path_safe(_chosen(model.model_fields[option].annotation, options[option]))
            parts.append(f"{option}={text}" if taken else f"{option[0]}{text}")
    return "-".join(parts)


def _chosen(kind: Any, value: Any) -> Any:
    """Return a value; one of a Literal's choices with "_" for the "-" that stands between options.

    It stays as it is where two choices would become one.
    """
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    plain = {str(choice).replace("-", "_") for choice in choices}
    if value not in choices or len(plain) < len(choices):
        return value
    return value.replace("-", "_") if isinstance(value, str) else value


def _differing_names(model: type[BaseModel], options: Mapping[str, Any]) -> list[str]:
    # Compared as JSON has them: options were dumped, defaults may be tuples.
    defaults = _defaults(model)
    return [n for n in model.model_fields if n not in defaults or options[n] != defaults[n]]


@functools.cache
def _defaults(model: type[BaseModel]) -> Mapping[str, Any]:
    """Return the defaults of a model's optional fields, dumped."""
    given = {n: f.get_default(call_default_factory=True) for n, f in model.model_fields.items()}
    optional = {n for n, f in model.model_fields.items() if not f.is_required()}
    return model.model_construct(**given).model_dump(mode="json", include=optional)


def _path_safe(value: Any, allowed: str = "") -> str:
    """Return a value as a part of a file's name; a text that may not be one gets a hash of it."""
    text = str(value)
    if isinstance(value, bool | int | float):
        return text
    plain = re.sub(rf"[^A-Za-z0-9._+{allowed}]", "_", text)[:LONGEST].lstrip(".")
    return plain if plain == text else f"{plain}~{digest_of(value)[:6]}"

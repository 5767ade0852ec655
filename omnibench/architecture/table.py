"""The table of timm's architectures that ships as data. No torch here.

Made by benchmarks/architectures.py. A row `name.tag` is of pretrained weights and holds what
differs from the row of its architecture.
"""

import csv
import functools
import sys
from importlib import metadata, resources
from typing import Any

from omnibench.architecture.facts import Architecture
from omnibench.errors import RequestError
from omnibench.registry import did_you_mean

FILE = "timm.csv"
# The version of timm that the table was made with.
TIMM = "1.0.31"
COLUMNS = (
    "name",
    "kind",
    "width",
    "patch",
    "depth",
    "prefix_tokens",
    "class_token",
    "reductions",
    "input_size",
    "fixed",
    "flops",
    "mean",
    "std",
)


def timm_facts(name: str) -> Architecture | None:
    """Return the facts of a timm architecture, `name` or `name.tag`.

    None for a name that the table lacks where timm has it all the same: another version of timm is
    installed than the table was made with, or a plug-in registered the model.

    Raises:
        RequestError: timm has no such architecture; the message lists near ones.
    """
    rows = _rows()
    if name not in rows:
        if metadata.version("timm") != TIMM or _registered_here(name):
            return None
        raise RequestError(f"timm has no architecture '{name}'{did_you_mean(name, rows)}")
    own, base = rows[name], rows[name.partition(".")[0]]
    return _parsed([cell or inherited for cell, inherited in zip(own, base, strict=True)])


def _registered_here(name: str) -> bool:
    """Whether timm, where this process has imported it, knows the name."""
    timm = sys.modules.get("timm")
    return timm is not None and timm.is_model(name) and "." not in name


@functools.cache
def _rows() -> dict[str, list[str]]:
    text = resources.files("omnibench.architecture").joinpath(FILE).read_text(encoding="utf-8")
    _, *rows = csv.reader(text.splitlines())
    return {name: cells for name, *cells in rows}


def _parsed(cells: list[str]) -> Architecture:
    values: dict[str, Any] = dict(zip(COLUMNS[1:], cells, strict=True))
    for column in ("width", "patch", "depth", "prefix_tokens"):
        values[column] = int(values[column]) if values[column] else None
    for column in ("class_token", "fixed"):
        values[column] = values[column] == "1"
    for column in ("reductions", "input_size"):
        values[column] = tuple(map(int, values[column].split()))
    for column in ("mean", "std"):
        values[column] = tuple(map(float, values[column].split()))
    return Architecture(**{**values, "flops": float(values["flops"])})


def cells(name: str, architecture: Architecture) -> list[str]:
    """Return the row of an architecture: what `timm_facts` reads back."""
    values = {"name": name, **vars(architecture)}
    return [_cell(values[column]) for column in COLUMNS]


def _cell(value: str | float | tuple[float, ...] | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, tuple):
        return " ".join(map(repr, value))
    return str(int(value)) if isinstance(value, float) else str(value)

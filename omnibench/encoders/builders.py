"""Backbones that a function builds: `module:attribute` sources."""

import inspect
from collections.abc import Callable
from typing import Any

import torch

from omnibench.cards import BackboneCard
from omnibench.errors import OmnibenchError, RequestError, WeightsError, one_line
from omnibench.registry import import_attribute


def build_module(card: BackboneCard) -> Any:
    """Call a card's builder with the card's arguments, under the seed of its draw.

    Returns:
        An Encoder or an nn.Module with its weights, or a pair of it and its Coverage.

    Raises:
        RequestError: there is no such builder, or it does not take these arguments.
        WeightsError: it raises; the last line of its own file on the way is named.
    """
    builder = _find(card)
    try:
        inspect.signature(builder).bind(**card.arguments)
    except TypeError as error:
        raise RequestError(
            f"{card.id}: the builder {card.source}{_defined(builder)} cannot be called with "
            f"arguments={card.arguments}: {error}; correct the card's arguments"
        ) from error
    except ValueError:  # of a callable that tells no signature
        pass
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(card.draw or 0)  # what the builder draws is the same every time
            return builder(**card.arguments)
    except OmnibenchError:
        raise
    except (Exception, SystemExit) as error:
        raise WeightsError(
            f"{card.id}: the builder {card.source} failed{_line(builder, error)}: "
            f"{type(error).__name__}: {one_line(error)}; correct it, or the card's arguments"
        ) from error


def _find(card: BackboneCard) -> Callable[..., Any]:
    try:
        builder = import_attribute(card.source_name)
    except OmnibenchError as error:
        raise RequestError(f"{card.id}: {error}") from error
    except (Exception, SystemExit) as error:
        raise RequestError(
            f"{card.id}: the module of {card.source} cannot be imported: {type(error).__name__}: "
            f"{one_line(error)}; correct it"
        ) from error
    if not callable(builder):
        raise RequestError(
            f"{card.id}: {card.source} is of type {type(builder).__name__} and cannot be called; "
            "name a function or class that returns the backbone"
        )
    return builder  # type: ignore[no-any-return]


def _file(builder: Callable[..., Any]) -> str | None:
    try:
        return inspect.getsourcefile(inspect.unwrap(builder))
    except TypeError:  # of a callable instance
        return inspect.getsourcefile(type(builder))


def _defined(builder: Callable[..., Any]) -> str:
    try:
        line = inspect.getsourcelines(inspect.unwrap(builder))[1]
    except (OSError, TypeError):
        return ""
    return f" (line {line} of {_file(builder)})"


def _line(builder: Callable[..., Any], error: BaseException) -> str:
    """Tell the last line of the builder's own file that the error passed through."""
    file, line = _file(builder), None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" at line {line} of {file}" if line else ""

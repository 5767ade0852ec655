"""Engines from outside: what one must be, and what a run says of one that is not."""

import inspect
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.engines import Engine, engines, register_engine, run_units
from omnibench.errors import DataError, OmnibenchError, RequestError
from omnibench.execute import Finished, execute_unit
from omnibench.leases import Leases
from omnibench.store import RecordStore


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(engines, "_entries", dict(engines._entries))
    return engines


@pytest.fixture
def units(unit: Unit) -> list[Any]:
    names = ("a", "b", "c")
    return [replace(unit, backbone=unit.backbone.model_copy(update={"id": name})) for name in names]


@pytest.fixture
def bare(tmp_path: Path) -> Context:
    return Context(tmp_path / "results", tmp_path / "data")


def end(unit: Any) -> Finished:
    return Finished(unit, dict.fromkeys(unit.repetitions), 0.0)


def test_the_engine_of_the_docstring_runs_and_is_found_by_its_name(
    registry: Any, named: Any, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    documented = inspect.getdoc(Engine)
    assert documented is not None
    example = textwrap.dedent(documented.partition("in this process:")[2])
    names = {
        "Leases": Leases,
        "time": time,
        "execute_unit": execute_unit,
        "replace": replace,
        "register_engine": register_engine,
    }
    exec(example, names)
    maker, second, third = named("a", "b", "c")
    units: Any = [replace(second, after=(maker,)), third, maker]
    results = list(run_units(registry.get("plain"), units, context))
    assert [result.unit for result in results][-1] is units[0]
    assert all(set(result.repetitions.values()) == {None} for result in results)
    assert len(list(RecordStore(context.results).all())) == 9
    assert list((context.results / "leases").iterdir()) == []


def twice(units: Any, context: Any) -> Iterator[Any]:
    yield from map(end, [*units, units[0]])


def unasked(units: Any, context: Any) -> Iterator[Finished]:
    yield end(replace(units[0], short="other"))


def never(units: Any, context: Any) -> Iterator[Finished]:
    yield end(units[0])


def nothing_finished(units: Any, context: Any) -> Iterator[Any]:
    yield units[0]


def raising(units: Any, context: Any) -> Iterator[Finished]:
    yield end(units[0])
    raise ZeroDivisionError("no\nnode")


def returning_none(units: Any, context: Any) -> None:
    return None


class Callable:
    def __call__(self, units: Any, context: Any) -> Iterator[int]:
        yield 3


@pytest.mark.parametrize(
    ("engine", "words", "yielded"),
    [
        (twice, "yielded classification/d/a/linear a second time", 3),
        (unasked, "yielded classification/d/a/other which it was not given", 0),
        (never, "ended without yielding classification/d/b/linear and 1 more", 1),
        (nothing_finished, "yielded Unit, which is no Finished", 0),
        (raising, "raised ZeroDivisionError: no node", 1),
        (returning_none, "raised TypeError: 'NoneType' object is not iterable", 0),
        (Callable(), "yielded int, which is no Finished", 0),
    ],
)
def test_an_engine_that_breaks_its_contract_is_named(
    units: list[Any], bare: Context, engine: Any, words: str, yielded: int
) -> None:
    results = list[Any]()
    with pytest.raises(OmnibenchError) as caught:
        results.extend(run_units(engine, units, bare))
    name = getattr(engine, "__name__", "Callable")
    assert str(caught.value).startswith(f"the engine {name} in {__file__} {words}")
    assert len(results) == yielded


def test_an_error_for_people_stays_as_it_is(units: list[Any], bare: Context) -> None:
    def refusing(units: Any, context: Any) -> Iterator[Finished]:
        raise DataError("no disk")
        yield

    with pytest.raises(DataError, match=r"^no disk$"):
        list(run_units(refusing, units, bare))


@pytest.mark.parametrize("engine", [3, lambda units: iter(()), lambda a, b, c: iter(())])
def test_what_cannot_be_called_as_an_engine_is_refused(registry: Any, engine: Any) -> None:
    with pytest.raises(RequestError, match=r"an engine is a function|does not take"):
        register_engine("mine", engine)
    assert "mine" not in registry


def test_a_taken_name_is_refused(registry: Any) -> None:
    with pytest.raises(RequestError, match="the engine 'local' is registered already"):
        register_engine("local", twice)

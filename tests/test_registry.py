import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omnibench.errors import RequestError
from omnibench.registry import Registry, all_or_none, import_attribute


@pytest.fixture
def fruits() -> Registry[int]:
    registry: Registry[int] = Registry("fruit")
    registry.add("apple", 1)
    registry.add("apricot", 2)
    registry.add("lazy", "string:digits")
    return registry


def test_an_entry_is_returned_and_a_lazy_one_imported(fruits: Any) -> None:
    assert fruits.get("apple") == 1
    assert fruits.get("lazy") == "0123456789"


def test_an_unknown_name_lists_near_matches(fruits: Registry[int]) -> None:
    with pytest.raises(RequestError, match=r"unknown fruit 'aple'; did you mean apple"):
        fruits.get("aple")


def test_a_duplicate_is_refused_and_the_same_entry_twice_is_not(fruits: Registry[int]) -> None:
    fruits.add("apple", 1)
    with pytest.raises(RequestError, match="'apple' is registered already"):
        fruits.add("apple", 3)
    assert fruits.get("apple") == 1


def test_globs_select_in_order_and_never_nothing(fruits: Registry[int]) -> None:
    assert fruits.match("ap*") == ["apple", "apricot"]
    with pytest.raises(RequestError, match="unknown fruit 'z"):
        fruits.match("z*")


@pytest.mark.parametrize("reference", ["string", ":digits", "nowhere_at_all:x", "string:nothing"])
def test_a_reference_that_leads_nowhere_is_one_sentence(reference: str) -> None:
    with pytest.raises(RequestError, match="'"):
        import_attribute(reference)


def test_what_a_failed_block_has_added_is_taken_back() -> None:
    backbones, tasks = Registry[int]("backbone"), Registry[int]("task")
    backbones.add("stays", 1)
    with pytest.raises(KeyboardInterrupt), all_or_none():
        backbones.add("goes", 2)
        tasks.add("goes", 3)
        raise KeyboardInterrupt
    with all_or_none():
        tasks.add("added", 4)
    assert (list(backbones), list(tasks)) == (["stays"], ["added"])


def test_registries_are_loaded_in_the_order_of_their_creation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    created: list[Registry[int]] = [Registry(f"noun {number}") for number in range(50)]
    loaded: list[Registry[int]] = []
    monkeypatch.setattr(Registry, "_load", lambda registry: loaded.append(registry))
    with all_or_none():
        assert [registry for registry in loaded if registry in created] == created


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Install a package with entry points in the group `fruits`; return its folder."""

    def install(points: str, **modules: str) -> None:
        package = tmp_path / "grocer-1.dist-info"
        package.mkdir()
        (package / "METADATA").write_text("Metadata-Version: 2.1\nName: grocer\nVersion: 1\n")
        (package / "entry_points.txt").write_text(f"[fruits]\n{points}\n")
        for name, text in modules.items():
            (tmp_path / f"{name}.py").write_text(text)
            monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.syspath_prepend(tmp_path)

    return install


def test_what_a_package_names_is_loaded_at_the_first_miss_and_no_earlier(
    installed: Callable[..., Any],
) -> None:
    installed("plum = grocer_plum:PLUM", grocer_plum="PLUM = 7\n")
    fruits: Registry[int] = Registry("fruit", "fruits")
    fruits._entries["apple"] = 1
    assert fruits.get("apple") == 1 and not fruits._loaded
    assert "plum" in fruits and "grocer_plum" not in sys.modules
    assert fruits.get("plum") == 7
    assert list(fruits) == ["apple", "plum"]


def test_a_package_that_cannot_be_loaded_is_named_and_the_others_stay(
    installed: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    installed(
        "pear = grocer_pear\nplum = grocer_plum:PLUM",
        grocer_pear="import grocer_shelf as s\ns.fruits.add('half', 1)\nraise ValueError('no')\n",
        grocer_plum="PLUM = 7\n",
        grocer_shelf="fruits = None\n",
    )
    fruits: Registry[int] = Registry("fruit", "fruits")
    shelf: Any = importlib.import_module("grocer_shelf")
    shelf.fruits = fruits
    assert list(fruits) == ["plum"]
    assert "the entry point pear of fruits in grocer could not be loaded" in caplog.text
    assert caplog.text.rstrip().endswith("no")


def test_a_name_that_a_package_has_is_taken_before_it_is_loaded(
    installed: Callable[..., Any],
) -> None:
    installed("plum = grocer_plum:PLUM", grocer_plum="PLUM = 7\n")
    fruits: Registry[int] = Registry("fruit", "fruits")
    with pytest.raises(RequestError, match="the fruit 'plum' is registered already"):
        fruits.add("plum", 8)


def test_an_entry_that_lacks_a_member_is_refused_when_it_is_known() -> None:
    def check(fruit: object) -> None:
        if not hasattr(fruit, "stone"):
            raise RequestError(f"{fruit!r} has no stone")

    fruits: Registry[object] = Registry("fruit", check=check)
    with pytest.raises(RequestError, match="3 has no stone"):
        fruits.add("berry", 3)
    fruits.add("lazy", "string:digits")
    with pytest.raises(RequestError, match="'0123456789' has no stone"):
        fruits.get("lazy")
    with pytest.raises(RequestError, match="a fruit's name is a text, not None"):
        fruits.add(None, 3)  # type: ignore[arg-type]

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


def test_an_entry_is_returned_and_a_lazy_one_imported(fruits):
    assert fruits.get("apple") == 1
    assert fruits.get("lazy") == "0123456789"


def test_an_unknown_name_lists_near_matches(fruits):
    with pytest.raises(RequestError, match=r"unknown fruit 'aple'; did you mean apple"):
        fruits.get("aple")


def test_a_duplicate_is_refused_and_the_same_entry_twice_is_not(fruits):
    fruits.add("apple", 1)
    with pytest.raises(RequestError, match="'apple' is registered already"):
        fruits.add("apple", 3)
    assert fruits.get("apple") == 1


def test_globs_select_in_order_and_never_nothing(fruits):
    assert fruits.match("ap*") == ["apple", "apricot"]
    with pytest.raises(RequestError, match="unknown fruit 'z"):
        fruits.match("z*")


@pytest.mark.parametrize("reference", ["string", ":digits", "nowhere_at_all:x", "string:nothing"])
def test_a_reference_that_leads_nowhere_is_one_sentence(reference):
    with pytest.raises(RequestError, match="'"):
        import_attribute(reference)


def test_what_a_failed_block_has_added_is_taken_back():
    backbones, tasks = Registry[int]("backbone"), Registry[int]("task")
    backbones.add("stays", 1)
    with pytest.raises(KeyboardInterrupt), all_or_none():
        backbones.add("goes", 2)
        tasks.add("goes", 3)
        raise KeyboardInterrupt
    with all_or_none():
        tasks.add("added", 4)
    assert (list(backbones), list(tasks)) == (["stays"], ["added"])

"""One small generic registry: named entries, lazy ones included; unknown names get suggestions."""

import contextlib
import difflib
import fnmatch
import importlib
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from omnibench.errors import RequestError

T = TypeVar("T")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return '; did you mean a, b?' for the names nearest to `name`, or ''."""
    folded = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.6)
    near += [low for low in folded if low.startswith(name.lower()) and low not in near]
    return f"; did you mean {', '.join(folded[low] for low in near[:3])}?" if near else ""


def import_attribute(reference: str) -> Any:
    """Import what "module:attribute" names.

    Raises:
        RequestError: the reference has no colon, or module or attribute does not exist.
    """
    module_name, colon, attribute = reference.partition(":")
    if not colon or not module_name or not attribute:
        raise RequestError(f"'{reference}' is not of the form module:attribute")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except ModuleNotFoundError as error:
        raise RequestError(
            f"'{reference}' cannot be imported: no module named '{error.name}'; "
            "install the package or pass its file with --plugin"
        ) from error
    except AttributeError as error:
        raise RequestError(
            f"'{reference}' cannot be imported: '{module_name}' has no '{attribute}'"
        ) from error


@contextlib.contextmanager
def all_or_none() -> Iterator[None]:
    """Take back what a block has added to any registry, where the block raises."""
    before = [(registry, dict(registry._entries)) for registry in _registries]
    try:
        yield
    except BaseException:
        for registry, entries in before:
            registry._entries = entries
        raise


class Registry(Generic[T]):
    """Names to entries; an entry given as "module:attribute" is imported when first asked for."""

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self._entries: dict[str, T | str] = {}
        _registries.add(self)

    def add(self, name: str, entry: T | str) -> None:
        """Register `entry`.

        Raises:
            RequestError: another entry already has this name.
        """
        if name in self._entries and self._entries[name] != entry:
            raise RequestError(
                f"the {self.noun} '{name}' is registered already; give yours another name"
            )
        self._entries[name] = entry

    def get(self, name: str) -> T:
        """Return the entry called `name`.

        Raises:
            RequestError: there is none; the message lists near matches.
        """
        if name not in self._entries:
            raise RequestError(f"unknown {self.noun} '{name}'{did_you_mean(name, self._entries)}")
        entry = self._entries[name]
        if isinstance(entry, str):
            entry = self._entries[name] = import_attribute(entry)
        return entry

    def match(self, pattern: str) -> list[str]:
        """Return the names that a glob (or a plain name) selects, in order of registration.

        Raises:
            RequestError: nothing matches.
        """
        found = [name for name in self._entries if fnmatch.fnmatchcase(name, pattern)]
        if not found:
            raise RequestError(
                f"unknown {self.noun} '{pattern}'{did_you_mean(pattern, self._entries)}"
            )
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


_registries: WeakSet[Registry[Any]] = WeakSet()

"""One small generic registry: named entries, lazy ones included; unknown names get suggestions.

Entries that an installed package names under the registry's group of entry points, those that ship
among them, are known from the first name on that is not there without them.
"""

import contextlib
import difflib
import fnmatch
import functools
import importlib
import importlib.metadata
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from omnibench.errors import RequestError, one_line

T = TypeVar("T")
OWN = "omnibench"  # the package whose entry points come first
log = logging.getLogger("omnibench")


FEW = 12  # names that a message lists


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return '; did you mean a, b?' for the names nearest to `name`, or ''."""
    folded = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.6)
    near += [low for low in folded if low.startswith(name.lower()) and low not in near]
    return f"; did you mean {', '.join(folded[low] for low in near[:3])}?" if near else ""


def printing_aside() -> contextlib.AbstractContextManager[object]:
    """Send what an extension prints at its import to standard error: `--json` prints an object."""
    return contextlib.redirect_stdout(sys.stderr)


def import_attribute(reference: str) -> Any:
    """Import what "module:attribute" names.

    Raises:
        RequestError: the reference has no colon, or module or attribute does not exist.
    """
    module_name, colon, attribute = reference.partition(":")
    if not colon or not module_name or not attribute:
        raise RequestError(f"'{reference}' is not of the form module:attribute")
    try:
        with printing_aside():
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
    for registry in tuple(_registries):
        registry._load()  # before the block, so that it is not taken back
    before = [(registry, dict(registry._entries)) for registry in _registries]
    try:
        yield
    except BaseException:
        for registry, entries in before:
            registry._entries = entries
            registry.version += 1
        raise


class Registry(Generic[T]):
    """Names to entries; an entry given as "module:attribute" is imported when first asked for.

    Args:
        noun: what an entry is, for messages.
        group: of entry points. One whose value is a module is imported and registers what it has;
            one of the form module:attribute is an entry by itself, under the entry point's name.
        check: a function, or "module:function", that raises RequestError for an entry that lacks
            a member; called before an entry is taken in or, where it is a lazy one, given out.
    """

    def __init__(
        self, noun: str, group: str | None = None, check: Callable[[T], None] | str | None = None
    ) -> None:
        self.noun, self.group = noun, group
        self._checking = check
        self.version = 0  # raised whenever entries change
        self._entries: dict[str, T | str] = {}
        self._loaded = group is None
        _registries[self] = None

    def add(self, name: str, entry: T | str) -> None:
        """Register `entry`.

        Raises:
            RequestError: another entry already has this name, or the entry lacks a member.
        """
        self._load()
        if not isinstance(name, str) or not name:
            raise RequestError(f"a {self.noun}'s name is a text, not {name!r}")
        if name in self._entries and self._entries[name] != entry:
            raise RequestError(
                f"the {self.noun} '{name}' is registered already; give yours another name"
            )
        if not isinstance(entry, str):
            self._check(entry)
        self._entries[name] = entry
        self.version += 1

    def get(self, name: str) -> T:
        """Return the entry called `name`.

        Raises:
            RequestError: there is none, and the message lists near matches; or it is a lazy one
                that cannot be imported or lacks a member.
        """
        if name not in self._entries:
            self._load()
        if name not in self._entries:
            raise RequestError(f"unknown {self.noun} '{name}'{self._ways_out(name)}")
        entry = self._entries[name]
        if isinstance(entry, str):
            imported: T = import_attribute(entry)
            self._check(imported)
            entry = self._entries[name] = imported
        return entry

    def _check(self, entry: T) -> None:
        check = self._checking
        if isinstance(check, str):
            check = import_attribute(check)
        if check is not None:
            check(entry)

    def match(self, pattern: str) -> list[str]:
        """Return the names that a glob (or a plain name) selects, in order of registration.

        Raises:
            RequestError: nothing matches.
        """
        names = [name for name in self if fnmatch.fnmatchcase(name, pattern)]
        if not names:
            raise RequestError(f"unknown {self.noun} '{pattern}'{self._ways_out(pattern)}")
        return names

    def _ways_out(self, name: str) -> str:
        """Return the names near to one that is unknown; where none is and they are few, all."""
        if (near := did_you_mean(name, self._entries)) or len(self._entries) > FEW:
            return near
        return f" (there are: {', '.join(sorted(self._entries)) or 'none'})"

    def taken_in(self) -> dict[str, T]:
        """Return the entries that are checked so far, by name; loads and imports nothing."""
        return {name: entry for name, entry in self._entries.items() if not isinstance(entry, str)}

    def __contains__(self, name: object) -> bool:
        if name not in self._entries:
            self._load()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        self._load()
        return len(self._entries)

    def _load(self) -> None:
        """Take in what installed packages name under the group, once; omnibench's own comes first.

        A package that cannot be loaded is left out and named in a warning: it must not take the
        others down.
        """
        if self._loaded:
            return
        with _loading:
            if self._loaded:
                return
            self._loaded = True  # what is imported below registers, and so comes here again
            points = _entry_points(tuple(sys.path)).select(group=str(self.group))
            outermost = not _loads
            _loads.append(self)
            try:
                for point in filter(_ships, points):
                    # What ships is whole, and loading every group for it would take torch's time.
                    self._take_in(point, contextlib.nullcontext())
                _others.extend((self, point) for point in points if not _ships(point))
                # Another package may need any group, of which the outer ones are half taken in.
                while outermost and _others:
                    registry, point = _others.pop(0)
                    registry._take_in(point, all_or_none())
            finally:
                _loads.pop()

    def _take_in(
        self, point: importlib.metadata.EntryPoint, block: contextlib.AbstractContextManager[None]
    ) -> None:
        """Add what an entry point names, within a block; what cannot be loaded is left out."""
        try:
            with block:
                if ":" in point.value:
                    self.add(point.name, point.value)
                else:
                    with printing_aside():
                        importlib.import_module(point.value)
        except Exception as error:
            log.warning(
                "the entry point %s of %s in %s could not be loaded and is left out: %s",
                point.name,
                self.group,
                _distribution(point),
                one_line(error),
            )


def _ships(point: importlib.metadata.EntryPoint) -> bool:
    return _distribution(point) == OWN


@functools.lru_cache(maxsize=4)  # reading them takes some ms, for each group
def _entry_points(path: tuple[str, ...]) -> Any:  # other types from Python 3.12 on
    """Return the entry points of what is installed, where Python looks for packages now."""
    return importlib.metadata.entry_points()


def _distribution(point: importlib.metadata.EntryPoint) -> str:
    return "an unnamed package" if point.dist is None else point.dist.name


_loading = threading.RLock()
_loads: list[
    "Registry[Any]"
] = []  # the registries that are taking in entry points, outermost first
_others: list[tuple["Registry[Any]", importlib.metadata.EntryPoint]] = []  # yet to be taken in


# In the order of their creation: the order of what they load into one another follows from it.
_registries: WeakKeyDictionary[Registry[Any], None] = WeakKeyDictionary()

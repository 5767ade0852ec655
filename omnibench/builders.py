"""The identity of a builder: its source and what that imports, read without running it.

A builder is what `module:attribute` names. Its digest covers the attribute, its module's source and
that of every module of the same package, of a plain file's own folder, or of what was installed
together with it, that is imported from there, on the way or in a function. Not seen: what is
compiled, read as data, or imported by a name that is put together at run time.
"""

import functools
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, NamedTuple

from omnibench.errors import RequestError
from omnibench.files import read_regular
from omnibench.imports import Import, imports_of

INSTALLED = ("site-packages", "dist-packages")


class Source(NamedTuple):
    """A module's file and the bytes in it."""

    path: Path
    content: bytes


def builder_digest(reference: str) -> str:
    """Return the SHA-256 of a builder's source, in 64 hexadecimal digits, the same on any machine.

    Of omnibench's own builders the reference alone counts: their version is ours to raise.

    Raises:
        RequestError: no such module is importable, or its file cannot be read or is not Python.
    """
    module, colon, attribute = reference.partition(":")
    if not (module and colon and attribute):
        raise RequestError(f"'{reference}' is not of the form module:attribute")
    digest = hashlib.sha256(reference.encode())
    if _top(module) != "omnibench":
        for name, source in sorted(sources(module).items()):
            digest.update(f"\0{name}\0{hashlib.sha256(source.content).hexdigest()}".encode())
    return digest.hexdigest()


def code_digest(thing: Any) -> str | None:
    """Return what identifies the source of a class or function, or "module:function", from outside.

    It covers what `builder_digest` does; None of omnibench's own, whose versions tell it.

    Raises:
        RequestError: as of `builder_digest`; or it is written in no module.
    """
    reference = thing if isinstance(thing, str) else f"{thing.__module__}:{thing.__qualname__}"
    if _top(reference) == "omnibench":
        return None
    if _top(reference.partition(":")[0]) == "__main__":
        raise RequestError(
            f"'{reference.partition(':')[2]}' is written where no other process can import it; put "
            "it into a file of its own, and name that with --plugin or under `plugins:`"
        )
    return f"code:{builder_digest(reference)}"


def require_unchanged(reference: str, digest: str) -> None:
    """Refuse a builder whose source is no longer what a unit was planned with.

    Args:
        digest: what `builder_digest` gave then.

    Raises:
        RequestError: it is another one now.
    """
    if builder_digest(reference) != digest:
        raise RequestError(
            f"the source of '{reference}' changed while it ran; give the same command again"
        )


def sources(module: str) -> dict[str, Source]:
    """Return the sources that a builder's module consists of, by the modules' names.

    Raises:
        RequestError: no such module is importable, or its file cannot be read or is not Python.
    """
    file, root = _locate(module)
    read: dict[str, Source] = {}
    pending = {module: file}
    while pending:
        name, path = pending.popitem()
        try:
            source = Source(path, read_regular(path))
        except OSError as error:
            raise RequestError(f"'{path}' cannot be read: {error.strerror}") from None
        read[name] = source
        try:
            imports = imports_of(source.content)
        except SyntaxError as error:
            if name == module:
                line = f", line {error.lineno}" if error.lineno else ""
                raise RequestError(f"'{path}'{line} is not Python: {error.msg}") from None
            continue  # perhaps for another version of Python; where it is needed, that says so
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        wanted = {target for statement in imports for target in root.names(statement, package)}
        for target in {*wanted, name}:
            for part in _with_parents(target):
                if part not in read and (helper := root.file(part)) is not None:
                    pending[part] = helper
    return read


class Misplaced(NamedTuple):
    """A module, its file beside the one that imports it, and where Python takes it from."""

    name: str
    beside: Path
    elsewhere: str


def misplaced(module: str) -> Misplaced | None:
    """Return a helper of a plain file that Python takes from elsewhere; None where there is none.

    Raises:
        RequestError: as `sources`.
    """
    for name, source in sorted(sources(module).items()):
        beside = source.path.parents[name.count(".") + (source.path.name == "__init__.py")]
        file, folders = importable(_top(name))
        if file is None:  # built in, or a folder without __init__.py
            if [Path(folder) for folder in folders] != [beside / _top(name)]:
                elsewhere = f"'{folders[0]}'" if folders else "what is built in"
                return Misplaced(name, source.path, elsewhere)
        elif "." not in name and not source.path.samefile(file):
            return Misplaced(name, source.path, f"'{file}'")
    return None


def importable(name: str) -> tuple[str | None, list[str]]:
    """Return the file and the folders of a module, none of which is imported for that."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        return getattr(loaded, "__file__", None), list(getattr(loaded, "__path__", ()))
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return None, []
    return spec.origin if spec.has_location else None, list(spec.submodule_search_locations or ())


class _Root(NamedTuple):
    """Where the modules lie that belong together.

    Attributes:
        package: the package they are in; "" for those beside a plain file.
        folders: of that package, or the plain file's.
        only: the names that belong together where `folders` hold those of other projects, too.
    """

    package: str
    folders: tuple[Path, ...]
    only: frozenset[str] | None = None

    def names(self, statement: Import, package: str) -> Iterator[str]:
        """Yield the modules that a statement in a module of `package` may mean."""
        target = statement.module
        if statement.level:
            parts = package.split(".") if package else []
            if statement.level > len(parts):
                return  # an error in Python, too
            parts = parts[: len(parts) - statement.level + 1]
            target = ".".join([*parts, *filter(None, [target])])
        yield target
        for name in statement.names:
            yield from self._children(target) if name == "*" else [f"{target}.{name}"]

    def file(self, name: str) -> Path | None:
        """Return the file of a module; None where it is outside, absent, or a mere folder."""
        folders, parts = list(self.folders), name.split(".")
        if parts[0] == "omnibench" or not all(map(str.isidentifier, parts)):
            return None
        if self.only is not None and parts[0] not in self.only:
            return None
        if self.package:
            if parts.pop(0) != self.package:
                return None
            if not parts:
                return _first(folder / "__init__.py" for folder in folders)
        for number, part in enumerate(parts, 1):
            last = number == len(parts)
            if initial := _first(folder / part / "__init__.py" for folder in folders):
                if last:
                    return initial
                folders = [initial.parent]
            elif last:
                return _first(folder / f"{part}.py" for folder in folders)
            else:
                folders = [folder / part for folder in folders if (folder / part).is_dir()]
                # A package elsewhere goes before a folder that is none.
                if number == 1 and not self.package and folders and importable(part)[0]:
                    return None
        return None

    def _children(self, package: str) -> Iterator[str]:
        """Yield the modules directly in a package, all of which `import *` may mean."""
        initial = self.file(package)
        if initial is not None and initial.name == "__init__.py":
            children = {path.stem for path in initial.parent.iterdir()} - {initial.stem}
            yield from (f"{package}.{child}" for child in children)


def _locate(module: str) -> tuple[Path, _Root]:
    """Return a module's file and what belongs to it.

    Raises:
        RequestError: there is no such module.
    """
    top = _top(module)
    file, folders = importable(top)
    folder = Path(folders[0] if folders else file or ".").parent
    if folder.name in INSTALLED or str(folder) == sysconfig.get_path("stdlib"):
        together = _installed_with(top, folder)
    else:
        together = None
    if folders and (together is None or together == {top}):
        root = _Root(top, tuple(map(Path, folders)))
    else:
        root = _Root("", (folder,), together)
    own = importable(module)[0] if module == top or module in sys.modules else root.file(module)
    if own is None or not Path(own).is_file():
        raise RequestError(
            f"no module named '{module}' with a source file; "
            "install its package or pass its file with --plugin"
        )
    return Path(own), root


@functools.cache
def _installed_with(top: str, folder: Path) -> frozenset[str]:
    """Return the modules and packages of the distribution in a folder that has this one."""
    for distribution in distributions(path=[str(folder)]):
        record = distribution.read_text("RECORD") or ""  # torch's files would be slow to list
        if f"{top}.py" in record or f"{top}/" in record:
            files = [file.parts[0] for file in distribution.files or () if file.suffix == ".py"]
            names = frozenset(name.removesuffix(".py") for name in files)
            if top in names:
                return names
    return frozenset({top})


def _with_parents(name: str) -> list[str]:
    """ "a.b.c" as a, a.b, a.b.c: Python imports them all."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _top(name: str) -> str:
    return name.partition(".")[0]


def _first(paths: Iterator[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)

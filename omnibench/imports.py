"""What a Python source imports, read from its syntax tree without running it."""

import ast
import functools
import warnings
from typing import NamedTuple

IMPORTERS = ("import_module", "__import__")


class Import(NamedTuple):
    """What one statement imports: `from ..module import names` has the level 2."""

    level: int
    module: str
    names: tuple[str, ...] = ()


@functools.lru_cache(maxsize=4096)  # by the bytes: it cannot go stale
def imports_of(content: bytes) -> frozenset[Import]:
    """Return every import in a source, those in functions and branches included.

    Raises:
        SyntaxError: it is not Python.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the source: Python gives them at its import
            tree = ast.parse(content)
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error)) from None
    imports = set[Import]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports.update(Import(0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            imports.add(Import(node.level, node.module or "", names))
        elif isinstance(node, ast.Call) and node.args:
            function, name = node.func, node.args[0]
            called = getattr(function, "attr", getattr(function, "id", ""))
            if (
                called in IMPORTERS
                and isinstance(name, ast.Constant)
                and isinstance(name.value, str)
            ):
                target = name.value.lstrip(".")
                imports.add(Import(len(name.value) - len(target), target))
    return frozenset(imports)

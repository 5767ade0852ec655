"""Every backbone, dataset and task that is known: shipped, installed by others, or from a file.

Shipped ones are found through the same entry points that a third party's package declares.
"""

import functools
import hashlib
import importlib.metadata
import importlib.util
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from omnibench.cards import BackboneCard, DatasetCard
from omnibench.errors import RequestError
from omnibench.registry import Registry

if TYPE_CHECKING:
    from omnibench.task import Task

backbones: Registry[BackboneCard] = Registry("backbone")
datasets: Registry[DatasetCard] = Registry("dataset")
tasks: "Registry[Task]" = Registry("task")

GROUPS = ("omnibench.backbones", "omnibench.datasets", "omnibench.tasks")
log = logging.getLogger("omnibench")


def register_backbone(card: BackboneCard) -> BackboneCard:
    """Make a backbone known; a different card under the same id is refused."""
    backbones.add(card.id, card)
    return card


def register_dataset(card: DatasetCard) -> DatasetCard:
    """Make a dataset known; a different card under the same id is refused."""
    datasets.add(card.id, card)
    return card


def register_task(task: "Task") -> "Task":
    """Make a task known."""
    tasks.add(task.name, task)
    return task


@functools.cache
def load_installed() -> None:
    """Import every module that an installed package names under one of GROUPS, once.

    A package that fails to import is left out and named in a warning: it must not take the
    others down.
    """
    for group in GROUPS:
        for entry_point in importlib.metadata.entry_points(group=group):
            try:
                entry_point.load()
            except Exception as error:
                log.warning(
                    "the entry point %s of %s could not be loaded and is left out: %s",
                    entry_point.name,
                    group,
                    error,
                )


_plugged: dict[Path, tuple[str, ...]] = {}


def load_plugin(path: Path) -> tuple[str, ...]:
    """Import a Python file that registers backbones, datasets or tasks; once.

    Returns:
        The ids of the backbones it registered.

    The file becomes a module named after it, so that `source="my_vit:build"` finds its builder.

    Raises:
        RequestError: the file is absent, shadows an importable module, or fails to run.
    """
    path = path.expanduser().resolve()
    if not path.is_file():
        raise RequestError(f"the plug-in '{path}' does not exist")
    if path in _plugged:
        return _plugged[path]
    name, known = path.stem, set(backbones)
    if not name.isidentifier():
        raise RequestError(f"the plug-in '{path}' must be named like a module; rename the file")
    if name in sys.modules or importlib.util.find_spec(name) is not None:
        raise RequestError(f"the plug-in '{path}' has the name of a Python module; rename the file")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise RequestError(f"the plug-in '{path}' is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        kind = "" if isinstance(error, RequestError) else f"{type(error).__name__}: "
        raise RequestError(
            f"the plug-in '{path}' failed at line {_line_in(path, error)}: "
            f"{kind}{' '.join(str(error).split())}"
        ) from error
    _plugged[path] = tuple(card for card in backbones if card not in known)
    return _plugged[path]


def module_digest(reference: str) -> str:
    """Return the SHA-256 of the source file behind "module:attribute", without importing it.

    Raises:
        RequestError: no such module is importable.
    """
    name = reference.partition(":")[0]
    loaded = sys.modules.get(name)
    origin = getattr(loaded, "__file__", None)
    if origin is None:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            spec = None
        origin = spec.origin if spec else None
    if origin is None or not Path(origin).is_file():
        raise RequestError(
            f"no module named '{name}' for '{reference}'; "
            "install its package or pass its file with --plugin"
        )
    return hashlib.sha256(Path(origin).read_bytes()).hexdigest()


def _line_in(path: Path, error: BaseException) -> int | str:
    """The last line of `path` that the error's traceback passed through."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or "?"
    line: int | str = "?"
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line

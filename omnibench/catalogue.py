"""Every backbone, dataset, reader, task, adaptation, metric, engine, figure and exporter there is.

Shipped, installed by others, or from a plug-in's file: all come in by the same entry points and the
same `register_...` functions.
"""

import contextlib
import functools
import importlib.metadata
import importlib.util
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from omnibench.builders import importable, misplaced, sources
from omnibench.cards import BackboneCard, DatasetCard
from omnibench.errors import RequestError, one_line
from omnibench.files import expanded
from omnibench.registry import Registry, all_or_none, printing_aside

if TYPE_CHECKING:
    from omnibench.data.reader import Reader
    from omnibench.report.columns import FurtherColumn
    from omnibench.report.figures.drawing import Figure
    from omnibench.task import Adaptation, Metric, Task


backbones: Registry[BackboneCard] = Registry("backbone", "omnibench.backbones")
datasets: Registry[DatasetCard] = Registry("dataset", "omnibench.datasets")
readers: "Registry[Reader]" = Registry(
    "reader", "omnibench.readers", "omnibench.data.reader:check_reader"
)
tasks: "Registry[Task]" = Registry("task", "omnibench.tasks", "omnibench.contracts:check_task")
adaptations: "Registry[Adaptation]" = Registry(
    "adaptation", "omnibench.adaptations", "omnibench.contracts:check_adaptation"
)
# By "task:definition/name"; a task's own are not among them.
metrics: "Registry[Metric]" = Registry(
    "metric", "omnibench.metrics", "omnibench.contracts:check_metric"
)
figures: "Registry[Figure]" = Registry(
    "figure", "omnibench.figures", "omnibench.report.figures.drawing:check_figure"
)
columns: "Registry[FurtherColumn]" = Registry(
    "column", "omnibench.columns", "omnibench.report.columns:check_column"
)

SLOW_SECONDS = 5.0
log = logging.getLogger("omnibench")


def register_backbone(card: BackboneCard) -> BackboneCard:
    """Make a backbone known; a different card under the same id is refused."""
    backbones.add(card.id, card)
    return card


def register_dataset(card: DatasetCard) -> DatasetCard:
    """Make a dataset known; a different card under the same id is refused."""
    datasets.add(card.id, card)
    return card


def register_reader(reader: "Reader") -> "Reader":
    """Make a reader known, so that a suite may name datasets as `NAME:PATH`.

    Raises:
        RequestError: another has its name, or a member is missing.
    """
    readers.add(_name(reader, "reader"), reader)
    return reader


def register_task(task: "Task") -> "Task":
    """Make a task known."""
    tasks.add(_name(task, "task"), task)
    return task


def register_adaptation(adaptation: "Adaptation") -> "Adaptation":
    """Make an adaptation known: every task that offers what it needs has it."""
    adaptations.add(_name(adaptation, "adaptation"), adaptation)
    return adaptation


def register_metric(task: str, metric: "Metric") -> "Metric":
    """Make a metric of a task's predictions known.

    Raises:
        RequestError: there is no such task, or it has a metric of this id already, or another task
            has one in another unit.
    """
    from omnibench.contracts import check_meaning, check_metric

    name = _name(metric, "metric", "id")
    if any(name == own.id for own in tasks.get(task).metrics):
        raise RequestError(f"the metric '{name}' is {task}'s own; give yours another id")
    check_metric(metric)
    check_meaning(metric, task)
    metrics.add(f"{task}:{name}", metric)
    return metric


def register_figure(figure: "Figure") -> "Figure":
    """Make a figure of the report known."""
    figures.add(_name(figure, "figure"), figure)
    return figure


def register_column(column: "FurtherColumn") -> "FurtherColumn":
    """Make a further column of the report's tables known."""
    columns.add(_name(column, "column"), column)
    return column


def _name(entry: object, noun: str, attribute: str = "name") -> str:
    """Return an entry's name; one without is refused by its registry for what else it lacks.

    Raises:
        RequestError: it is a text, which would stand for what it names.
    """
    if isinstance(entry, str):
        raise RequestError(f"'{entry:.60}' is a text; give the {noun} itself")
    name: str = getattr(entry, attribute, "nameless")
    return name


_plugged: dict[Path, tuple[str, ...]] = {}


def load_plugin(path: Path) -> tuple[str, ...]:
    """Import a Python file that registers backbones, tasks or anything else; once.

    The file becomes a module named after it, so that `source="my_vit:build"` finds its builder, and
    modules beside it can be imported, as those beside a script. Where it fails, nothing of it
    stays.

    Returns:
        The ids of the backbones it registered.

    Raises:
        RequestError: the file is absent, no Python, shares its name or a helper's with another
            module, or fails to run.
    """
    path = expanded(path).resolve()
    if path not in _plugged:
        known = set(backbones)
        _import_file(path)
        _plugged[path] = tuple(card for card in backbones if card not in known)
    return _plugged[path]


def allowed_builder(reference: str) -> bool:
    """Return whether a suite may name this builder, so that no suite runs what nobody chose.

    It may where its module is a plug-in's or one that the plug-in imports from its own folder, one
    of a package that has an entry point of omnibench, or one of the backbones that are shipped.
    """
    module = reference.partition(":")[0]
    if module.partition(".")[0] == "omnibench":
        return module.startswith("omnibench.backbones.")
    if module.partition(".")[0] in _extending_packages():
        return True
    return any(module in sources(path.stem) for path in _plugged)


@functools.cache  # as of a registry: what is installed meanwhile counts from the next process on
def _extending_packages() -> frozenset[str]:
    """Return the top-level packages that have an entry point in any of omnibench's groups."""
    points = importlib.metadata.entry_points()
    groups = [group for group in points.groups if group.startswith("omnibench.")]
    return frozenset(
        point.module.partition(".")[0] for group in groups for point in points.select(group=group)
    )


def _import_file(path: Path) -> None:
    """Import a plug-in's file as a top-level module that can import what lies beside it."""
    if path.is_dir():
        raise RequestError(f"the plug-in '{path}' is a folder; give a Python file")
    if not path.is_file():
        raise RequestError(f"the plug-in '{path}' does not exist")
    if path.suffix != ".py":
        raise RequestError(f"the plug-in '{path}' is not a Python file, whose name ends in .py")
    name = path.stem
    if not name.isidentifier():
        raise RequestError(f"the plug-in '{path}' must be named like a module; rename the file")
    file, _ = importable(name)
    taken = name in sys.modules or name in sys.stdlib_module_names
    if not path.samefile(file) if file is not None else taken:
        raise RequestError(
            f"the plug-in '{path}' has the name of a Python module ({file or 'built in'}); "
            "rename the file"
        )
    if name in sys.modules:
        return  # another plug-in has imported it
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # as the file's name ends in .py
    module = importlib.util.module_from_spec(spec)
    with _undone_on_failure(name), _named_when_slow(path):
        sys.modules[name] = module
        if str(path.parent) not in sys.path:
            sys.path.append(str(path.parent))
        importlib.invalidate_caches()  # of a helper that was written a moment ago
        try:
            with printing_aside():
                spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            raise RequestError(_clash(path) or _failure(path, error)) from error
        if clash := _clash(path):
            raise RequestError(clash)


@contextlib.contextmanager
def _undone_on_failure(name: str) -> Iterator[None]:
    """Forget what a plug-in registered, its modules and its folder, where its import fails."""
    modules, folders = set(sys.modules), list(sys.path)
    try:
        with all_or_none():
            yield
    except BaseException:
        own = {name}
        with contextlib.suppress(RequestError):
            own |= set(sources(name))
        for module in own - modules:
            sys.modules.pop(module, None)
        sys.path[:] = folders
        raise


@contextlib.contextmanager
def _named_when_slow(path: Path) -> Iterator[None]:
    """Say which plug-in a command waits for, once it has for SLOW_SECONDS."""
    timer = threading.Timer(
        SLOW_SECONDS, log.warning, ("the plug-in %s is still being imported", path)
    )
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _clash(path: Path) -> str | None:
    """Say which helper of a plug-in Python takes from elsewhere; None where each is its own."""
    with contextlib.suppress(RequestError):  # that it is not Python is what its import says
        if (helper := misplaced(path.stem)) is not None:
            return (
                f"the plug-in '{path}' imports '{helper.name}', which Python takes from "
                f"{helper.elsewhere}, not from '{helper.beside}'; rename the latter"
            )
    return None


def _failure(path: Path, error: BaseException) -> str:
    """Say where in a plug-in its import failed, and why."""
    line = _line_in(path, error)
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        place = ".".join([error.title, *map(str, first["loc"])])
        reason = f"{place}: {first['msg'].removeprefix('Value error, ')}"
    else:
        kind = "" if isinstance(error, RequestError) else type(error).__name__
        reason = ": ".join(filter(None, [kind, one_line(error)]))
    where = f"failed at line {line}" if line else "is not Python"
    return f"the plug-in '{path}' {where}: {reason}"


def _line_in(path: Path, error: BaseException) -> int | None:
    """Return the last line of `path` that the error's traceback passed through."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line

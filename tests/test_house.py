"""The house itself: imports run one way and in no circle, and the core names no task and no option.

The sources are read, never run.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from omnibench.catalogue import adaptations, tasks

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {
    "omnibench": "omnibench",
    "omnibench.tasks": "tasks",
    "omnibench.backbones": "backbones",
}
# Rooms that know of tasks; of the rest, a dataset's card says which tasks it serves.
OF_TASKS = ("omnibench.tasks", "omnibench.adapt", "omnibench.backbones")
CARD_FIELDS = ("tasks", "primary")
# What imports nothing of what stands before it.
ORDER = ("commands", "engines", "tasks", "adapt", "encoders", "data", "catalogue", "cards")


@cache
def modules() -> Mapping[str, Path]:
    """Return every module of the package and its file."""
    files = {}
    for package, folder in PACKAGES.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            if not (ROOT / folder / parts[0]).is_symlink():
                files[".".join([package, *parts]).removesuffix(".__init__")] = path
    return files


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what runs when a module is imported, without what stands for type checkers alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from at_import(child)


def running(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what may run, without what stands for type checkers alone."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from running(child)


def imported(module: str, nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the modules of the package that nodes import."""
    path = modules()[module]
    parent = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules())
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(parent.split(".")[: len(parent.split(".")) - node.level + 1])
            name = ".".join(filter(None, [base if node.level else "", node.module or ""]))
            for alias in node.names:
                inner = f"{name}.{alias.name}"
                if (inner if inner in modules() else name) in modules():
                    yield inner if inner in modules() else name


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def test_no_module_imports_itself_through_others() -> None:
    graph = {name: set(imported(name, at_import(tree(name)))) - {name} for name in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


def test_no_room_imports_itself_through_others() -> None:
    graph: dict[str, set[str]] = {}
    for name in modules():
        rooms = {room(other) for other in imported(name, at_import(tree(name)))}
        graph.setdefault(room(name), set()).update(rooms - {room(name)})
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of rooms: {' <- '.join(error.args[1])}")


def test_what_stands_below_imports_nothing_from_above_even_when_it_runs() -> None:
    for name in modules():
        if room(name) in ORDER:
            above = ORDER[: ORDER.index(room(name))]
            upwards = {o for o in imported(name, running(tree(name))) if room(o) in above}
            assert not upwards, f"{name} imports {upwards}"


def core() -> Iterator[str]:
    return (name for name in modules() if not name.startswith(OF_TASKS))


def named(module: str) -> Iterator[tuple[str, int]]:
    """Yield the texts that a module's code holds, and their lines; not those of a card's tasks."""
    exempt: set[int] = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.keyword) and node.arg in CARD_FIELDS:
            exempt |= {id(inner) for inner in ast.walk(node.value)}
    for node in ast.walk(tree(module)):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in exempt
        ):
            yield node.value, node.lineno


def test_the_core_names_no_task() -> None:
    names = set(tasks)
    assert len(names) >= 4
    lines = [
        f"{modules()[module]}:{line}"
        for module in core()
        for text, line in named(module)
        if text in names or text.startswith(tuple(f"omnibench.tasks.{name}" for name in names))
    ]
    assert not lines


def options() -> set[str]:
    """Return the names of the options of every adaptation that ships."""
    every = [*map(adaptations.get, adaptations)]
    every += [own for task in map(tasks.get, tasks) for own in task.adaptations.values()]
    return {name for adaptation in every for name in adaptation.options.model_fields}


def test_the_core_asks_for_no_option_by_its_name() -> None:
    names = options()
    assert {"r", "alpha", "knn", "prior", "merger_scale"} <= names
    lines = []
    for module in core():
        for node in ast.walk(tree(module)):
            if (
                isinstance(node, ast.Subscript)
                and isinstance(node.slice, ast.Constant)
                and node.slice.value in names
                and ast.unparse(node.value).split(".")[-1].strip("'\"[]") in ("options",)
            ):
                lines.append(f"{modules()[module]}:{node.lineno}")
            if isinstance(node, ast.Name | ast.arg) and getattr(node, "id", None) == "knn":
                lines.append(f"{modules()[module]}:{node.lineno}")
    assert not lines


def test_nothing_is_dispatched_on_the_name_of_a_task_or_an_adaptation() -> None:
    """What differs between them is a member of theirs; a name that is not known has no `else`."""
    lines = []
    for module in modules():
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                about = {ast.unparse(side).split(".")[-1] for side in sides}
                texts = [
                    s for s in sides if isinstance(s, ast.Constant) and isinstance(s.value, str)
                ]
                if texts and about & {"task", "adaptation"}:
                    lines.append(f"{modules()[module]}:{node.lineno}: {ast.unparse(node)}")
    assert not lines

"""`new`: a package of one's own, written from a template that works as it is."""

import importlib.util
import keyword
import re
from pathlib import Path

from omnibench import catalogue
from omnibench.commands.stocking import check_action
from omnibench.errors import RequestError
from omnibench.files import write_atomically
from omnibench.session import Places, Session
from omnibench.terminal import echo

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
NAME = re.compile("[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 40  # characters
# Kind -> the file of its template that a user edits first.
KINDS = {
    "adaptation": "my_adaptation_layers.py",
    "dataset": "my_dataset.py",
    "task": "my_task_trial.py",
}


def start(kind: str, name: str, places: Places) -> None:
    """Write the package into a new folder named as its module, and say what to do with it.

    The templates are packages that run; `my-KIND` in them becomes `name`.

    Raises:
        RequestError: no such kind, a name that cannot be taken, or the folder is there already.
        StoreError: the disk is full, or the folder not writable.
    """
    check_action(kind, tuple(KINDS), "new")
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        raise RequestError(
            f"'{name}' cannot name a package; take up to {LONGEST} small letters and digits, with "
            "single dashes between words, as in my-adapter"
        )
    module = name.replace("-", "_")
    Session.open(places)
    if name in _registered(kind):
        raise RequestError(f"'{name}' is a registered {kind} already; take another name")
    folder = Path(module)
    if folder.exists():
        raise RequestError(f"{folder} is there already; take another name, or move it away")
    if keyword.iskeyword(module) or importlib.util.find_spec(module):
        raise RequestError(f"Python has a module '{module}' already; take another name")
    for path in sorted((TEMPLATES / kind).iterdir()):
        if path.suffix in (".py", ".toml", ".yaml"):
            text = _renamed(path.read_text(encoding="utf-8"), kind, name)
            write_atomically(folder / _renamed(path.name, kind, name), text.encode())
    edited = _renamed(KINDS[kind], kind, name)
    echo(f"written: {folder}/; it runs as it is, and {folder}/{edited} is the file to edit")
    echo(f"  omnibench run {folder}/{module}.yaml")
    echo(f"  omnibench report {folder}/{module}.yaml")
    echo(f"  python -m pytest {folder}")


def _registered(kind: str) -> set[str]:
    """Return the names that a kind has, those of a task's own adaptations among them."""
    if kind == "dataset":
        return set(catalogue.datasets)
    if kind == "task":
        return set(catalogue.tasks)
    return {name for task in catalogue.tasks for name in catalogue.tasks.get(task).adaptations}


def _renamed(text: str, kind: str, name: str) -> str:
    """Return a template's text with the names that stand for `name` replaced."""
    words = name.split("-")
    return (
        text.replace(f"my-{kind}", name)
        .replace(f"my_{kind}", "_".join(words))
        .replace(f"My{kind.title()}", "".join(map(str.title, words)))
    )

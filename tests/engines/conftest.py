"""Units of a task that a plug-in brings, as every process of an engine can load it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from omnibench.catalogue import load_plugin, tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.recipe import Recipe

# What a unit is to do stands in its backbone's id: "wait" for a file "go" beside its results,
# "hang", "talk", "die", "die-once", "grow". What hangs ends with its process alone.
PLUGIN = '''
"""A task for tests of engines."""

import os, signal, threading, time
from pathlib import Path

import numpy as np

from omnibench.catalogue import register_task
from omnibench.recipe import Recipe
from omnibench.task import Adaptation, Outcome, Task


class Obeying(Task):
    name = "obeying"
    own = {"linear": Adaptation("linear", "nothing", "head seed", {"small": Recipe()})}

    def run(self, unit, context):
        word, _, number = unit.backbone.id.partition("-")
        told = context.results / f"{unit.backbone.id}.told"
        for repetition in unit.repetitions:
            while word == "wait" and not (context.results / "go").exists():
                time.sleep(0.02)
            if word == "hang":
                told.touch()
                threading.Event().wait()
            while word == "talk":
                context.progress("talking", 1, 2)
                told.touch()
                time.sleep(0.1)
            if word == "die" and not (number == "once" and told.exists()) and repetition == 1:
                told.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if word == "grow":
                held = np.ones((2**27,))  # 1 GiB
                threading.Event().wait()
            score = unit.seed("head", repetition) / 2**63
            logits = np.full((4, 2), score, np.float32)
            yield Outcome(repetition, {"toy/score": score}, {"test_logits": logits})


register_task(Obeying())
'''


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The plug-in's file and the task that it registers, which other tests do not see."""
    path = tmp_path_factory.mktemp("plugin") / "obeying_task.py"
    path.write_text(PLUGIN)
    load_plugin(path)
    return path, tasks._entries.pop("obeying")


@pytest.fixture
def context(tmp_path: Path, plugin: tuple[Path, Any]) -> Context:
    path, _ = plugin
    return Context(tmp_path / "results", tmp_path / "data", threads=2, plugins=(path,))


@pytest.fixture
def named(
    unit: Unit, plugin: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Return units by what their backbones are to do."""
    monkeypatch.setitem(tasks._entries, "obeying", plugin[1])
    return lambda *names: [
        replace(
            unit,
            task="obeying",
            backbone=unit.backbone.model_copy(update={"id": name}),
            recipe=Recipe().model_dump(),
        )
        for name in names
    ]

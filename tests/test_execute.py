"""What a unit's outcome becomes in its record."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.environment import describe
from omnibench.execute import execute_unit
from omnibench.store import RecordStore
from omnibench.task import Outcome, Task


class NotingTask(Task):
    """Notes what the facts of the machine are called, too."""

    name = "noting"

    def run(self, unit: Any, context: Any) -> Iterator[Outcome]:
        notes = {"packages": "none", "threads": "many", "precision": unit.recipe["precision"]}
        yield Outcome(0, {"d/score": 0.5}, {"test_case": np.arange(2)}, notes=notes)


def test_what_a_task_notes_leaves_the_facts_of_the_machine_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unit: Unit
) -> None:
    monkeypatch.setattr(tasks, "_entries", {**tasks._entries, "noting": NotingTask()})
    recipe = {"precision": "auto"}
    noting = replace(unit, task="noting", recipe=recipe, repetitions=(0,))
    context = Context(tmp_path / "results", tmp_path / "data", plugins=(tmp_path / "my_net.py",))
    assert execute_unit(noting, context).repetitions == {0: None}
    record = RecordStore(context.results).read(noting.cells[0])
    facts = {"precision": context.precision, "plugins": ["my_net.py"]}
    assert record is not None
    assert record["environment"] == {**describe(context), **facts}
    # The task saw the precision that was used; the cell is that of what was asked for.
    assert record is not None
    assert record["notes"] == {
        "packages": "none",
        "threads": "many",
        "precision": context.precision,
    }
    assert record is not None
    assert record["spec"]["recipe"] == {"precision": "auto"}
    assert record is not None
    assert record["digest"] == noting.cells[0].digest

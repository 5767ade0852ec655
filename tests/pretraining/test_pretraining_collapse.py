"""Trainings that are made to collapse, or to fail, and what is said of them."""

import json
import math
from typing import Any

import pytest

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.execute import execute_unit
from omnibench.store import RecordStore
from omnibench.tasks.pretraining.distillation import Distillation
from omnibench.training.checkpoint import Checkpoints
from tests.pretraining.pretraining_units import checkpoints, lines, outcome, pretraining

# A teacher so warm that its answers say nothing.
WARM: Any = {
    "teacher_temperature": (1.0, 1.0),
    "centring": "none",
    "warmup_epochs": 0.0,
    "prototypes": 64,
}


def failure(unit: Unit, context: Context) -> Any:
    """What the failed record of a unit says."""
    (message,) = execute_unit(unit, context).repetitions.values()
    record = json.loads(RecordStore(context.results).path(unit.cells[0]).read_text())
    assert record["status"] == "failed"
    assert record["error"]["message"] == message
    return record["error"]


def test_a_collapse_ends_the_run_by_its_name(phantom: str, context: Context) -> None:
    unit = pretraining(phantom, **WARM)
    error = failure(unit, context)
    assert error["kind"] == "collapse"
    assert error["message"].startswith("the training collapsed by step 5: uniform targets")
    assert "sharpen the teacher" in error["message"]
    actual = lines(unit, context)
    assert [line["step"] for line in actual] == [1, 2, 3, 4, 5]
    assert all(line["teacher_entropy"] > 0.99 * math.log(64) for line in actual)
    # Tried again, it goes on from its last epoch, which it had kept with the signs it had seen.
    kept = Checkpoints(checkpoints(unit, context)).load()
    assert kept is not None
    assert kept["step"] == 4
    assert failure(unit, context)["message"] == error["message"]


def test_a_collapse_may_be_let_be_and_is_noted(phantom: str, context: Context) -> None:
    unit = pretraining(phantom, **WARM, stop_on_collapse=False)
    notes = outcome(unit, context).notes
    assert [line["step"] for line in lines(unit, context)] == list(range(1, 9))
    assert [name.partition(":")[0] for name in notes["collapse"]] == ["uniform targets"]


def test_signs_count_from_the_end_of_the_warm_up_on(phantom: str, context: Context) -> None:
    error = failure(pretraining(phantom, **{**WARM, "warmup_epochs": 0.5}), context)
    assert "collapsed by step 7: uniform targets" in error["message"]


@pytest.mark.parametrize(
    ("step", "kept"), [(1, "there is none yet"), (6, "that of step 4 is kept")]
)
def test_a_loss_that_is_no_number_names_the_last_good_checkpoint(
    phantom: str, context: Context, monkeypatch: pytest.MonkeyPatch, step: int, kept: str
) -> None:
    original, seen = Distillation.losses, []

    def losses(self: Any, *given: Any) -> dict[Any, Any]:
        actual = original(self, *given)
        seen.append(1)
        return {n: v * (math.nan if len(seen) == step + 1 else 1) for n, v in actual.items()}

    monkeypatch.setattr(Distillation, "losses", losses)
    unit = pretraining(phantom)
    error = failure(unit, context)
    assert error["kind"] == "numeric"
    epoch, index = divmod(step, 4)
    assert f"the loss is nan at epoch {epoch}, step {index}; last good" in error["message"]
    assert kept in error["message"]
    state = Checkpoints(checkpoints(unit, context)).load()
    assert (state and state["step"]) == (4 if step == 6 else None)
    assert all(math.isfinite(line["loss"]) for line in lines(unit, context))

"""What is trained by an extension goes on from its checkpoint; a process that dies is a record."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from omnibench.cards import BackboneCard
from omnibench.catalogue import datasets, load_plugin, tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.engines import engines, run_units
from omnibench.recipe import resolve_recipe
from omnibench.task import Outcome
from omnibench.training.steps import Steps
from tests.examples.extended import EXAMPLES

Make = Callable[..., tuple[Unit, Context]]
RECIPE = {"input_size": 32, "epochs": 3, "batch": 8, "precision": "fp32"}
DYING = """
import os
from omnibench import Task, Adaptation, Recipe, register_task

class Dying(Task):
    name = "dying"
    own = {"whole": Adaptation("whole", "nothing", "nothing", {"small": Recipe()})}
    def run(self, unit, context):
        os._exit(3)

register_task(Dying())
"""


class Killed(BaseException):
    """What no failing cell swallows."""


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a unit of the examples' task and dataset, and a context whose results are its own."""
    torch.set_num_threads(1)
    for name in ("discs", "dense_regression", "low_rank_experts", "process_engine"):
        load_plugin(EXAMPLES / f"{name}.py")

    def make(adaptation: str, place: str) -> tuple[Unit, Context]:
        known = tasks.get("dense-regression").adaptations[adaptation]
        options = known.resolve_options({}, "options")
        unit = Unit(
            task="dense-regression",
            dataset=datasets.get("discs"),
            backbone=BackboneCard(id="vit", source="random:test_vit"),
            adaptation=adaptation,
            short=known.short(options),
            options=options,
            recipe=resolve_recipe(RECIPE, known.recipes, "recipe")[1],
            suite_seed=0,
            sources={"dataset": "discs@1", "backbone": "random:test_vit@0"},
            repetitions=(0,),
        )
        return unit, Context(tmp_path / place, tmp_path / "data")

    return make


def outcome(unit: Unit, context: Context) -> Outcome:
    [outcome] = tasks.get(unit.task).run(unit, context)
    return outcome


@pytest.mark.parametrize("adaptation", ["linear", "low-rank-experts", "full"])
def test_a_training_killed_in_its_second_epoch_ends_in_the_same_bits(
    make: Make, monkeypatch: pytest.MonkeyPatch, adaptation: str
) -> None:
    plain = outcome(*make(adaptation, "plain"))
    original, steps = Steps.gradients, []

    def dying(self: Steps, number: int, rows: Any) -> Any:
        steps.append(number)
        if steps == [0, 1, 2, 3, 4]:
            raise Killed
        return original(self, number, rows)

    monkeypatch.setattr(Steps, "gradients", dying)
    with pytest.raises(Killed):
        outcome(*make(adaptation, "killed"))
    resumed = outcome(*make(adaptation, "killed"))
    assert steps[5:] == [3, 4, 5, 6, 7, 8]  # from the end of the first epoch on
    assert resumed.metrics == plain.metrics
    for name, array in plain.predictions.items():
        assert np.array_equal(array, resumed.predictions[name])
    assert resumed.files["maps.png"] == plain.files["maps.png"]


def test_the_first_forward_of_experts_is_the_backbones_own(make: Make) -> None:
    from omnibench import attach, load_trainable

    unit, context = make("low-rank-experts", "results")
    encoder = load_trainable(unit, context, "fp32").encoder
    images = torch.randint(0, 256, (2, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        before = encoder.embed(images)
        adaptation = tasks.get(unit.task).adaptations[unit.adaptation]
        trainable = attach(adaptation, encoder, unit.options)
        assert torch.equal(encoder.embed(images), before)
    trained = {n for n, p in trainable.module.named_parameters() if p.requires_grad}
    assert trained
    assert all(n.rpartition(".")[2] in ("down", "up") or ".router." in n for n in trained)
    trainable.embed(encoder.preprocess(images)).square().sum().backward()
    assert all(p.grad is not None for p in trainable.module.parameters() if p.requires_grad)


def test_a_process_that_dies_is_a_failed_record_and_the_engine_goes_on(
    make: Make, tmp_path: Path
) -> None:
    unit, context = make("linear", "results")
    (tmp_path / "dying_task.py").write_text(DYING)
    load_plugin(tmp_path / "dying_task.py")
    dying = replace(unit, task="dying", adaptation="whole", short="whole", recipe={})
    context = replace(context, plugins=(tmp_path / "dying_task.py",))
    finished = list(run_units(engines.get("processes"), [dying], context))
    assert [end.unit for end in finished] == [dying]
    [record] = (context.results / "records").rglob("rep-0-*.json")
    error = json.loads(record.read_text())["error"]
    assert (error["kind"], error["message"]) == ("killed", "its process ended with exit status 3")
    assert list((context.results / "leases").iterdir()) == []

"""An extension that breaks its contract is named by its file and member, and never half done."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from omnibench import catalogue
from omnibench.cards import BackboneCard
from omnibench.catalogue import datasets, load_plugin, tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.engines import worker
from omnibench.errors import RequestError
from omnibench.execute import execute_unit
from omnibench.recipe import resolve_recipe
from tests.examples.extended import EXAMPLES

Bench = Callable[..., tuple[int, str, str]]
Plug = Callable[[str], Path]
Fail = Callable[[str, str, str], str]

HEAD = """
import numpy as np
from torch import nn
from omnibench import (
    Adaptation, DatasetCard, Figure, Metric, Reader, Recipe, Task, Trainable, Trial,
    TrainingRecipe, register_adaptation, register_dataset, register_engine, register_figure,
    register_metric, register_reader, register_task,
)
OWN = {"own": Adaptation("own", "all", "training seed", {"small": TrainingRecipe()})}

class Whole(Task):
    name, own = "whole", OWN
    def prepare(self, unit, context):
        return lambda repetition: None

class Halves(nn.Module):
    def forward(self, x):
        return x[:, :2]

def adapt(name="mine", needs="embed", attach=None, **more):
    register_adaptation(Adaptation(name, "it", "training seed", needs=needs, attach=attach, **more))

"""


@pytest.fixture
def plug(tmp_path: Path) -> Plug:
    """Write a plug-in of one statement below what all of them define; return its path."""
    torch.set_num_threads(1)

    def plug(statement: str) -> Path:
        path = tmp_path / "plugged_in.py"
        path.write_text(HEAD + statement + "\n")
        return path

    return plug


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("register_task(object())", r"the task 'None' \(.*\) is no omnibench.Task; derive"),
        (
            "class T(Task):\n    own = OWN\nregister_task(T())",
            r"the task 'None' \(FILE\): `name` is None, where a str is due",
        ),
        (
            "class T(Task):\n    name, own = 't', OWN\nregister_task(T())",
            r"the task 't' \(FILE\) has no `prepare`, nor a `run` of its own",
        ),
        (
            "class T(Whole):\n    name, own = 't', {}\nregister_task(T())",
            r"the task 't' \(FILE\) has no adaptation: give it `own` ones, or what it `offers`",
        ),
        (
            "class T(Whole):\n    name, offers = 't', frozenset({'embed'})\nregister_task(T())",
            r"the task 't' \(FILE\) has no recipe `small` in `recipes`",
        ),
        (
            "class T(Whole):\n    name, metrics = 't', ('a/b',)\nregister_task(T())",
            r"a metric: `it` is 'a/b', where a Metric is due",
        ),
        (
            "class T(Whole):\n    name = 'classification'\nregister_task(T())",
            r"the task 'classification' is registered already; give yours another name",
        ),
        ("adapt()", r"the adaptation 'mine' has no `attach`; give it a function"),
        ("adapt(needs=None, attach=print)", r"the adaptation 'mine' .* has no `needs`"),
        (
            "adapt(attach=print, variants={('a', 1): Adaptation('mine', 'it', 'training seed')})",
            r"the adaptation 'mine' has no `attach`; give it a function",
        ),
        (
            "adapt(needs='pixels', attach=print)",
            r"the adaptation 'mine' .*: `needs` is 'pixels', none of embed, embed_volumes, maps, "
            "tokens, module",
        ),
        (
            "class T(Whole):\n    name, offers, recipes = 't', {'heads'}, {'small': Recipe()}\n"
            "register_task(T())",
            r"the task 't' \(FILE\): `offers` has 'heads', none of embed, embed_volumes, maps, "
            "tokens, module",
        ),
        (
            "adapt(attach=lambda e, o: e, recipes={'small': Recipe()})",
            r"the adaptation 'mine' \(FILE\) has `recipes`, which its tasks have",
        ),
        (
            "register_adaptation(Adaptation('mine', 'it', 'seed', needs='embed', attach=print))",
            r"the adaptation 'mine'.*: `varies` is 'seed', none of head seed, training seed, "
            "nothing",
        ),
        (
            "adapt('lora', attach=lambda e, o: e)",
            r"the adaptation 'lora' is registered already; give yours another name",
        ),
        (
            "class T(Whole):\n    name, metrics = 't', (Metric('a/b', len, direction=None),)\n"
            "register_task(T())",
            r"the task 't' \(FILE\): the metric 'a/b', its primary, has no `direction`; put one "
            "first that has",
        ),
        (
            "register_metric('classification', Metric('mine', len))",
            r"the metric 'mine' .*: `id` is not of the form definition/name",
        ),
        (
            "register_metric('classification', Metric('a/b', len, direction='down '))",
            r"`direction` is 'down ', neither up nor down",
        ),
        (
            "register_metric('classification', Metric('omnirad-classification/auc', len))",
            r"'omnirad-classification/auc' is classification's own; give yours another id",
        ),
        (
            "register_metric('classificaton', Metric('a/b', len))",
            r"unknown task 'classificaton'; did you mean classification\?",
        ),
        ("register_reader(Reader('mine', print, None))", r"the reader 'mine' has .* as card_of"),
        (
            "register_engine('mine', lambda units: units)",
            r"the engine .* in FILE does not take \(units, context\)",
        ),
        ("register_engine('local', lambda u, c: u)", r"the engine 'local' is registered already"),
        (
            "register_figure(Figure('mine', 'Mine', None))",
            r"the figure 'mine': `drawings` is no function of a study",
        ),
        ("register_adaptation(3)", r"an adaptation: `it` is 3, where a Adaptation is due"),
        ("register_metric('classification', 3)", r"a metric: `it` is 3, where a Metric is due"),
        ("register_figure('mine')", r"'mine' is a text; give the figure itself"),
        (
            "register_figure(Figure('seeds', 'Mine', lambda study: []))",
            r"the figure 'seeds' is registered already",
        ),
    ],
)
def test_what_is_wrong_is_named_when_it_is_registered_and_nothing_stays(
    plug: Plug, statement: str, complaint: str
) -> None:
    whole = "register_task(Whole())\nadapt('first', attach=lambda e, o: Trainable(e))\n"
    path = plug(whole + statement)
    with pytest.raises(RequestError) as refused:
        load_plugin(path)
    message = str(refused.value)
    assert message.startswith(f"the plug-in '{path}' failed at line ")
    assert re.search(complaint.replace("FILE", re.escape(str(path))), message), message
    assert "\n" not in message
    assert "whole" not in catalogue.tasks
    assert "first" not in catalogue.adaptations


@pytest.fixture
def fail(plug: Plug, tmp_path: Path) -> Fail:
    """Run one cell of a plug-in on the examples' discs; return the message of its record."""

    def fail(statement: str, task: str, adaptation: str) -> str:
        load_plugin(EXAMPLES / "discs.py")
        load_plugin(plug(statement))
        known = tasks.get(task).adaptations[adaptation]
        request = {"input_size": 32, "epochs": 1, "batch": 8, "precision": "fp32"}
        unit = Unit(
            task=task,
            dataset=datasets.get("discs"),
            backbone=BackboneCard(id="vit", source="random:test_vit"),
            adaptation=adaptation,
            short=adaptation,
            options={},
            recipe=resolve_recipe(request, known.recipes, "recipe")[1],
            suite_seed=0,
            sources={"dataset": "discs@1", "backbone": "random:test_vit@0"},
            repetitions=(0,),
        )
        context = Context(tmp_path / "results", tmp_path / "data")
        finished = execute_unit(unit, context)
        [path] = (context.results / "records").rglob("rep-0-*.json")
        record = json.loads(path.read_text())
        assert (record["status"], record["metrics"]) == ("failed", {})
        assert list(path.parent.glob("*.npz")) == []
        message: str = record["error"]["message"]
        assert finished.repetitions == {0: message}
        assert record["error"]["kind"] != "bug"
        return message

    return fail


METRIC = "register_metric('classification', Metric('a/b', lambda predictions: {}))"


@pytest.mark.parametrize(
    ("statement", "task", "adaptation", "complaint"),
    [
        (
            "adapt(attach=lambda e, o: o['absent'])", "classification", "mine",
            r"the adaptation 'mine': its `attach` \(FILE\) raised KeyError: 'absent'",
        ),
        (
            "adapt(attach=lambda e, o: e)", "classification", "mine",
            r"the adaptation 'mine': its `attach` \(FILE\) gave a \w+, no Trainable",
        ),
        (
            "adapt(attach=lambda e, o: Trainable(e, False, on_embedding=Halves()))",
            "classification", "mine",
            r"its `attach` \(FILE\) gave an `on_embedding` whose forward returns \[1, 2\] "
            r"for \[1, 64\]; it must keep",
        ),
        (
            METRIC.format("predictions['absent']").replace("{}", "predictions['absent']"),
            "classification", "linear",
            r"the metric a/b: its `compute` \(FILE\) raised KeyError: 'absent'",
        ),
        (
            METRIC.replace("{}", "'high'"), "classification", "linear",
            r"the metric a/b: its `compute` \(FILE\) gave a str, where a number or None is due",
        ),
        (
            METRIC.replace("{}", "{'c': 1.0}"), "classification", "linear",
            r"the metric a/b: its `compute` \(FILE\) gave 'c', which no metric of its pass is call",
        ),
        (
            METRIC.replace("{})", "1.0, per_case=lambda p: np.ones((3, 2)))"),
            "classification", "linear",
            r"the metric a/b: its `per_case` \(FILE\) gave shape \[3, 2\], where an array \[N\]",
        ),
        (
            "register_task(Whole())", "whole", "own",
            r"the task 'whole': what its `prepare` gave makes a NoneType, no omnibench.Trial",
        ),
        (
            "class Bare(Trial):\n    model = nn.Linear(1, 1)\n"
            "class T(Whole):\n    name = 't'\n"
            "    def prepare(self, unit, context):\n        return lambda repetition: Bare()\n"
            "register_task(T())", "t", "own",
            r"the task 't': what its `prepare` gave has no `count`, where a int is due",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_when_it_runs_is_a_failed_cell_that_names_it(
    fail: Fail, tmp_path: Path, statement: str, task: str, adaptation: str, complaint: str
) -> None:
    file = re.escape(str(tmp_path / "plugged_in.py"))
    message = fail(statement, task, adaptation)
    assert re.search(complaint.replace("FILE", file), message), message


def test_an_adaptation_that_a_backbone_does_not_serve_is_blocked_by_name(
    bench: Bench, plug: Plug
) -> None:
    path = plug(
        "class T(Whole):\n"
        "    name, own, offers, recipes = 't', {}, {'tokens'}, {'small': TrainingRecipe()}\n"
        "register_task(T())\n"
        "register_dataset(DatasetCard(id='d', reader='a:b', tasks=('t',), splits={'train': 99}))\n"
        "adapt(needs='tokens', attach=lambda e, o: Trainable(e))"
    )
    suite = path.with_name("needing.yaml")
    suite.write_text(
        f"name: needing\nplugins: [plugged_in.py, {EXAMPLES}/discs.py,"
        f" {EXAMPLES}/dense_regression.py]\n"
        "backbones: [{id: branches, source: 'random:crossvit_15_240'}, random-vit-tiny]\n"
        "matrix:\n"
        "  - {task: t, datasets: [d], adaptations: [mine], recipe: {input_size: 240}}\n"
        "  - {task: dense-regression, datasets: [discs], adaptations: [lora: {r: 1, alpha: 1}],\n"
        "     recipe: {input_size: 240, batch: 8}}\n"
    )
    cells = json.loads(bench("plan", suite, "--json")[1])["cells"]
    blocked = {c["task"]: c["needs"] for c in cells if c["backbone"] == "branches"}
    of = "backbone branches: it gives one vector an image, no"
    assert blocked == {
        "t": [f"{of} tokens; leave mine to other ones"],
        "dense-regression": [f"{of} maps; leave lora to other ones"],
    }
    assert {c["state"] for c in cells if c["backbone"] != "branches"} == {"missing"}


def test_what_a_plugin_prints_at_its_import_is_no_part_of_json(bench: Bench, plug: Plug) -> None:
    path = plug("print('read my paper')")
    status, out, err = bench("list", "tasks", "--json", "--plugin", path)
    assert (status, err) == (0, "read my paper\n")
    assert json.loads(out)


def test_threads_that_an_extension_sets_are_told_and_set_back(
    unit: Unit, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = torch.get_num_threads()
    context = Context(tmp_path, tmp_path, threads=1)
    torch.set_num_threads(2)
    try:
        worker.set_back(unit, context)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    assert "set torch to 2 threads where 1 were set" in caplog.text
    caplog.clear()
    torch.set_num_threads(1)
    worker.set_back(unit, context)
    torch.set_num_threads(before)
    assert not caplog.text

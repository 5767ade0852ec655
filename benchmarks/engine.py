"""Measure what the local engine costs a unit: a thousand empty units in four slots."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import Measure
from omnibench.catalogue import datasets, load_plugin, tasks
from omnibench.context import Context
from omnibench.engines.local import run
from omnibench.sources import Sources
from omnibench.suite import load

UNITS, SLOTS = 1000, 4
PLUGIN = '''
"""A task that does nothing."""

from omnibench import DatasetCard, register_dataset
from omnibench.catalogue import register_task
from omnibench.recipe import Recipe
from omnibench.task import Adaptation, Outcome, Task


class Empty(Task):
    name = "empty"
    own = {"nothing": Adaptation("nothing", "nothing", "nothing", {"small": Recipe()})}

    def run(self, unit, context):
        yield Outcome(0, {}, {})


register_task(Empty())
register_dataset(DatasetCard(id="nothing", reader="nowhere:nothing", tasks=("empty",)))
'''
SUITE = """
name: empty-units
backbones: [{backbones}]
matrix: [{{task: empty, datasets: [nothing], adaptations: [nothing]}}]
"""


def measure(device: str) -> Iterator[Measure]:
    """Yield seconds a unit, the processes' start included and apart."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plugin, suite = folder / "empty_task.py", folder / "empty.yaml"
        plugin.write_text(PLUGIN, encoding="utf-8")
        load_plugin(plugin)
        cards = (f"{{id: b{k}, source: 'random:test_vit'}}" for k in range(UNITS))
        suite.write_text(SUITE.format(backbones=", ".join(cards)), encoding="utf-8")
        units = load(str(suite), Sources(folder / "data", folder / "results")).units
        context = Context(
            folder / "results", folder / "data", threads=SLOTS, jobs=SLOTS, plugins=(plugin,)
        )
        began = time.perf_counter()
        ends = [time.perf_counter() for _ in run(units, context)]
        tasks._entries.pop("empty")
        datasets._entries.pop("nothing")
    all_of_it = (time.perf_counter() - began) / len(units)
    alone = (ends[-1] - ends[0]) / (len(ends) - 1)
    name = f"{UNITS:,} empty units in {SLOTS} slots, each"
    yield Measure("engine", name, all_of_it, "s", None, "<= 0.05")
    yield Measure("engine", f"{name}, once the processes have started", alone, "s")

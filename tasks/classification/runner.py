"""A unit of classification: its cases, then a probe or a training."""

from collections.abc import Iterator

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.sources import load_once
from omnibench.data.subset import limited
from omnibench.task import Outcome

from . import finetune, probes
from .cases import Cases


def run(unit: Unit, context: Context) -> Iterator[Outcome]:
    """Yield one outcome a repetition."""
    recipe, source = unit.recipe, unit.sources["dataset"]
    dataset = load_once(unit.dataset, context.data, source, recipe["input_size"])
    cases = Cases.of(limited(dataset, recipe["limit"]), recipe["limit"])
    method = probes.run if unit.adaptation in ("linear", "knn") else finetune.run
    return method(unit, cases, context)

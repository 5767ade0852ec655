"""What volumes refuses, a sentence each, for `plan` and for what computes. No torch."""

from collections.abc import Iterator, Mapping
from typing import Any

from omnibench.cell import Unit
from omnibench.label_budget import WHOLE
from omnibench.tasks.classification.refusals import refusals as of_labels
from omnibench.training.plan import batch_refusal


def refusals(unit: Unit, facts: Mapping[str, Any], joins_views: bool) -> Iterator[str]:
    """Yield what is wrong with a unit, as `Task.refusals` says.

    Args:
        joins_views: whether its adaptation is for studies of several views alone.
    """
    yield from of_labels(unit, facts)
    if joins_views and len(unit.dataset.views) < 2:
        yield (
            f"{unit.adaptation} joins several views, of which its studies have one; take "
            "'attention'"
        )
    batch, studies = unit.recipe["batch"], unit.images.get("train")
    in_steps = "micro_batch" in unit.recipe  # probes cut their batches
    if in_steps and unit.labels == WHOLE and studies is not None and batch > studies:
        yield batch_refusal(batch, studies)
    heads, width = unit.options.get("heads"), unit.options.get("width", unit.backbone.width)
    if unit.options.get("fusion") == "late":
        heads = None
    if heads is not None and width is not None and width % heads:
        yield f"options.heads {heads} does not divide the width {width}; give a number that does"

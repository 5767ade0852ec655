"""Deployment: a backbone with a linear layer, exported: is it the same, and how fast. No torch."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from omnibench.architecture.floors import is_floor
from omnibench.catalogue import register_task
from omnibench.exporters.opset import packages_refusal
from omnibench.task import Adaptation, Outcome, Task
from omnibench.tasks.classification.recipes import LogisticRecipe
from omnibench.tasks.classification.refusals import refusals

from .metrics import METRICS
from .options import OnnxOptions

if TYPE_CHECKING:
    from omnibench.cards import DatasetCard
    from omnibench.cell import Unit
    from omnibench.context import Context


class DeploymentTask(Task):
    """What becomes of a classifier in another runtime."""

    name = "deployment"
    metrics = METRICS
    own = {  # noqa: RUF012
        "onnx": Adaptation(
            "onnx",
            trains="a linear layer on frozen, standardised embeddings, as `linear` of "
            "classification by L-BFGS, exported with the backbone",
            varies="nothing",
            recipes={"small": LogisticRecipe()},
            options=OnnxOptions,
            further_work=True,
            frozen_kind="embed",
        )
    }

    def judged_on(self, dataset: "DatasetCard") -> bool:
        """Return whether a dataset has labels: whatever serves classification does."""
        return super().judged_on(dataset) or "classification" in dataset.tasks

    def refusals(self, unit: "Unit", facts: Mapping[str, Any]) -> Iterator[str]:
        """Yield a package that is absent, a backbone that is no network, and what probes refuse."""
        if refusal := packages_refusal():
            yield refusal
        if unit.backbone.members:
            yield f"{unit.backbone.id} joins frozen embeddings and is no network; use its members"
        if is_floor(unit.backbone):
            yield f"{unit.backbone.id} is a floor and no network; leave it out of this block"
        yield from refusals(unit, facts)

    def doubts(self, records: Sequence[Mapping[str, Any]], cases: int) -> Iterator[str]:
        """Yield what parity says where the graph is not torch's, or does not prepare its images."""
        for record in records:
            graph = record["notes"].get("graph", {})
            if record["metrics"].get("onnx-parity/passed") == 0:
                yield f"the exported graph is {graph.get('verdict', 'not equal to torch')}"
            elif graph.get("moved_outside"):
                yield "images are prepared outside of the graph, since parity broke inside"

    def run(self, unit: "Unit", context: "Context") -> Iterator[Outcome]:
        """Yield the one outcome there is."""
        from .runner import run

        return run(unit, context)


register_task(DeploymentTask())

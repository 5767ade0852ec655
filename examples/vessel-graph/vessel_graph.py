"""The task `vessel-graph`: which branches of a traced tree are vessels (arXiv:2003.07999)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import omnibench
from omnibench import Adaptation, Context, DatasetCard, Outcome, Predictions, TrainingRecipe, Unit

PARTS = tuple(f"{of}-{name}" for of in ("node", "branch") for name in ("f1", "precision", "recall"))
REST = ("pruned",)  # a share, of which neither is better
RECIPES = {"small": TrainingRecipe(input_size=384, epochs=15, batch=8, lr=3e-3, precision="fp32")}
BEFORE = ("unpruned",)  # the view of the same trees before they are pruned


def agreement(counts: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return shares [N] of counts [N, 4]; both are 1 where all is empty, 0 where one side is."""
    right, of = counts[:, ::2], counts[:, 1::2]
    nothing = (of == 0).all(axis=1, keepdims=True)
    precision, recall = np.where(nothing, 1.0, right / np.maximum(of, 1)).T
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return {"precision": precision, "recall": recall, "f1": f1}


def per_image(predictions: Predictions) -> Mapping[str, NDArray[Any]]:
    """Return each test image's shares of nodes and of branches, and of branches that are pruned."""
    shares = {of: agreement(predictions[f"test_{of}"]) for of in ("node", "branch")}
    values = {f"{of}-{name}": own[name] for of, own in shares.items() for name in own}
    return {**values, "pruned": predictions["test_pruned"]}


def over_images(predictions: Predictions) -> Mapping[str, float]:
    """Return the means over images."""
    return {name: float(values.mean()) for name, values in per_image(predictions).items()}


class VesselGraph(omnibench.Task):
    """The branches of a tree that is traced too richly, pruned to those that are vessels."""

    name = "vessel-graph"
    version = 1  # to be raised when its numbers change
    metrics = omnibench.metrics_of_pass(
        "graph-2px", PARTS + REST, over_images, reported=PARTS, neither=REST, per_case=per_image
    )
    own = {
        name: Adaptation(name, trains, varies, RECIPES, frozen_kind="maps", further_views=BEFORE)
        for name, trains, varies in (
            ("unpruned", "nothing: every branch is kept", "nothing"),
            ("threshold", "nothing: branches are cut by their mean heat", "nothing"),
            ("mlp", "two layers on each branch alone", "training seed"),
            ("gat", "two layers of attention to branches that meet", "training seed"),
        )
    }

    def judged_on(self, dataset: DatasetCard) -> bool:
        """Return whether a dataset has masks, of one class beside the background."""
        return "segmentation" in dataset.tasks and len(dataset.mask_classes) <= 2

    def refusals(self, unit: Unit, facts: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong with the masks of a local dataset."""
        if len(facts.get("mask_classes", ())) > 2:
            yield "its masks hold more than background and vessel; write 0 and 1"
        if facts.get("untrained_masks"):
            yield "no training mask shows a vessel; write 1 where one is"

    def run(self, unit: Unit, context: Context) -> Iterator[Outcome]:
        """Yield one outcome a repetition."""
        if not self.own[unit.adaptation].deterministic:
            return super().run(unit, context)
        from vessel_graph_trial import run_untrained

        return run_untrained(unit, context)

    def prepare(self, unit: Unit, context: Context) -> "Callable[[int], omnibench.Trial]":
        """Trace the trees of every image; return what makes the trial of a repetition."""
        from vessel_graph_trees import trees_of
        from vessel_graph_trial import PruningTrial

        forest = trees_of(unit, context)
        return lambda _: PruningTrial(unit, context, forest)


omnibench.register_task(VesselGraph())

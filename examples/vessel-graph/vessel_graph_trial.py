"""A repetition of `vessel-graph`: how branches are scored and cut, and what is counted of them."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from vessel_graph_layers import Pruner
from vessel_graph_trees import TOLERANCE, Array, Forest, Tree, distance_to, trees_of

import omnibench
from omnibench import Batch, Context, Dataset, Outcome, Predictions, Unit

Score = Callable[[Tree], Array]  # of each branch [B]
UNTRAINED: Mapping[str, Score] = {
    "unpruned": lambda tree: np.zeros(len(tree.present)),  # no cut parts what is equal
    "threshold": lambda tree: tree.features[:, -2].numpy(),  # the mean heat
}


def run_untrained(unit: Unit, context: Context) -> Iterator[Outcome]:
    """Yield the outcome of scores that need no training."""
    trees, data, digests = trees_of(unit, context)
    arrays = judged(trees, data, UNTRAINED[unit.adaptation])
    for repetition in unit.repetitions:
        yield Outcome(repetition, omnibench.score(unit.task, arrays), arrays, digests=digests)


def judged(trees: dict[str, list[Tree]], data: Dataset, score: Score) -> Mapping[str, Array]:
    """Return what is stored of test trees, pruned at the cut that is best on validation trees."""
    cut = best_cut(np.concatenate([score(tree) for tree in trees["val"]]), labels(trees["val"]))
    pruned = counted(trees["test"], [score(tree) >= cut for tree in trees["test"]])
    before = counted(trees["test"], [np.ones_like(tree.present) for tree in trees["test"]])
    arrays = {**pruned, **{f"{name}@unpruned": array for name, array in before.items()}}
    groups = data.splits["test"].groups
    arrays["test_case"] = np.arange(len(trees["test"]))
    return arrays if groups is None else {**arrays, "test_group": groups}


def labels(trees: list[Tree]) -> Array:
    """Return whether the branches [B] of several trees are vessels."""
    return np.concatenate([tree.present for tree in trees])


def best_cut(scores: Array, right: Array) -> float:
    """Return the score from which branches are kept, of all scores [B] that of the highest F1."""

    def f1(cut: float) -> float:
        over = scores >= cut
        return float(2 * (over & right).sum() / (over.sum() + right.sum()))

    return float(max(np.unique(scores), key=f1, default=np.inf))


def counted(trees: list[Tree], remaining: list[Array]) -> dict[str, Array]:
    """Return how many nodes and branches are right, of how many, and back; and the share pruned."""
    nodes, branches = [], []
    for tree, own in zip(trees, remaining, strict=True):
        lines, both = np.append(False, own)[tree.branches], own & tree.present
        hits = lines & (distance_to(tree.truth) <= TOLERANCE)
        hit = tree.truth & (distance_to(lines) <= TOLERANCE)
        nodes.append([part.sum() for part in (hits, lines, hit, tree.truth)])
        branches.append([part.sum() for part in (both, own, both, tree.present)])
    pruned = np.array([1 - own.sum() / max(len(own), 1) for own in remaining])
    return {"test_node": np.array(nodes), "test_branch": np.array(branches), "test_pruned": pruned}


class PruningTrial(omnibench.Trial):
    """A network on branches, under the cross-entropy of whether they are vessels."""

    select, minimise = "loss", True  # of what `validate` returns

    def __init__(self, unit: Unit, context: Context, forest: Forest) -> None:
        self.recipe = omnibench.TrainingRecipe.model_validate(unit.recipe)
        self.trees, self.data, self.loaded_digests = forest
        self.count, self.device = len(self.trees["train"]), context.device
        branches = torch.cat([tree.features for tree in self.trees["train"]])
        self.centre, self.spread = branches.mean(dim=0), branches.std(dim=0) + 1e-6
        self.edges = unit.adaptation == "gat"
        self.model = Pruner(branches.shape[1]).to(context.device)

    def logits(self, trees: list[Tree]) -> Tensor:
        """Return the logits of the branches of several trees; without edges each sees itself."""
        features = (torch.cat([tree.features for tree in trees]) - self.centre) / self.spread
        graphs = torch.block_diag(*[torch.from_numpy(tree.adjacency) for tree in trees]).bool()
        graphs = graphs if self.edges else torch.eye(len(features), dtype=torch.bool)
        logits: Tensor = self.model(features.to(self.device), graphs.to(self.device))
        return logits.cpu()

    def loss(self, batch: Batch) -> Tensor:
        """Return a part's share of the batch's loss: the parts are summed."""
        own, whole = [[self.trees["train"][i] for i in rows] for rows in (batch.rows, batch.whole)]
        right = torch.from_numpy(labels(own)).float()
        sums = binary_cross_entropy_with_logits(self.logits(own), right, reduction="sum")
        return sums / max(len(labels(whole)), 1)

    @torch.inference_mode()
    def score(self, tree: Tree) -> Array:
        """Return the logits of a tree's branches."""
        self.model.eval()
        return self.logits([tree]).numpy()

    def validate(self) -> Mapping[str, float]:
        """Return what epochs are chosen by."""
        logits = np.concatenate([self.score(tree) for tree in self.trees["val"]])
        right = torch.from_numpy(labels(self.trees["val"])).float()
        return {"loss": float(binary_cross_entropy_with_logits(torch.from_numpy(logits), right))}

    def predict(self) -> Predictions:
        """Return what is stored, from which metrics are computed."""
        return judged(self.trees, self.data, self.score)

    def digests(self) -> Mapping[str, str]:
        """Return the hashes of what was really loaded."""
        return self.loaded_digests

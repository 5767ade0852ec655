"""The package `vessel-graph`: attention, graphs and counts against brute force, and its command."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skimage.morphology import skeletonize
from torch.nn import functional
from vessel_graph import VesselGraph, agreement, per_image
from vessel_graph_layers import GraphAttention, Pruner
from vessel_graph_trees import Array, Tree, distance_to, grown, trace
from vessel_graph_trial import best_cut, counted, labels

from omnibench.catalogue import datasets
from omnibench.data.phantom.vessels import draw
from omnibench.record_files import read_predictions
from tests.systems import run_and_report

DRAWN = {
    "a T": ("#####", "..#..", "..#..", "..#.."),
    "a ring with a tail": (".###...", "#...###", ".###..."),
    "a cross and a line": ("..#....#", "..#....#", "#####..#", "..#....#", "..#....#"),
    "nothing": ("...", "..."),
}


def mask_of(rows: Sequence[str]) -> Array:
    return np.array([[letter == "#" for letter in row] for row in rows])


def around(pixel: tuple[int, ...], pixels: set[tuple[int, int]]) -> set[tuple[int, int]]:
    row, column = pixel
    near = {(row + r, column + c) for r in (-1, 0, 1) for c in (-1, 0, 1)} - {pixel}
    return near & pixels


def components(pixels: set[tuple[int, int]]) -> list[frozenset[tuple[int, int]]]:
    """Return the sets of pixels that are joined through neighbours, by flooding."""
    left, parts = set(pixels), []
    while left:
        part = {left.pop()}
        while grown := {near for pixel in part for near in around(pixel, left)}:
            part |= grown
            left -= grown
        parts.append(frozenset(part))
    return parts


@pytest.mark.parametrize("name", [*DRAWN, "a tree"])
def test_the_graph_of_a_skeleton_is_that_of_brute_force(name: str) -> None:
    mask = mask_of(DRAWN[name]) if name in DRAWN else draw("test-00001", 96)[1] == 1
    labelled, adjacency = trace(mask)
    thin = {(int(row), int(column)) for row, column in np.argwhere(skeletonize(mask))}
    meeting = {pixel for pixel in thin if len(around(pixel, thin)) > 2}
    branches, places = components(thin - meeting), components(meeting)
    traced = [
        frozenset(map(tuple, np.argwhere(labelled == index + 1).tolist()))
        for index in range(len(adjacency))
    ]
    assert set(traced) == set(branches)
    for a, first in enumerate(traced):
        for b, second in enumerate(traced):
            meet = any(
                any(around(pixel, set(place)) for pixel in first)
                and any(around(pixel, set(place)) for pixel in second)
                for place in places
            )
            assert adjacency[a, b] == (meet or a == b)


def test_a_layer_of_attention_is_linear_where_a_node_has_itself_alone() -> None:
    torch.manual_seed(0)
    layer, x = GraphAttention(5, 3, heads=2), torch.randn(4, 5)
    linear = functional.linear(x, layer.linear.weight, layer.bias)
    torch.testing.assert_close(layer(x, torch.eye(4, dtype=torch.bool)), linear)
    # One neighbour, which is another node: what that gives, whatever the attention's weights.
    turned = torch.eye(4, dtype=torch.bool).roll(1, dims=1)
    torch.testing.assert_close(layer(x, turned), linear.roll(-1, dims=0))


def test_attention_sums_to_one_and_is_that_of_loops() -> None:
    torch.manual_seed(0)
    layer, x = GraphAttention(5, 3, heads=2), torch.randn(6, 5)
    adjacency = (torch.rand(6, 6) < 0.4) | torch.eye(6, dtype=torch.bool)
    nodes = layer.linear(x).unflatten(1, (2, 3))
    weights = layer.attention(nodes, adjacency)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(6, 2))
    assert not weights[~adjacency].any()
    output = layer(x, adjacency).unflatten(1, (2, 3)) - layer.bias.unflatten(0, (2, 3))
    for i in range(6):
        for head in range(2):
            neighbours = [j for j in range(6) if adjacency[i, j]]
            shares = []
            for j in neighbours:
                score = layer.own[head] @ nodes[i, head] + layer.other[head] @ nodes[j, head]
                shares.append(math.exp(max(score.item(), 0.2 * score.item())))
            expected = sum(
                (share / sum(shares) * nodes[j, head]).tolist()[0]
                for share, j in zip(shares, neighbours, strict=True)
            )
            assert output[i, head, 0].item() == pytest.approx(expected, abs=1e-5)


def test_without_edges_the_network_is_a_perceptron_of_the_same_size() -> None:
    torch.manual_seed(0)
    network, x = Pruner(7), torch.randn(5, 7)
    first, last = network.first, network.last
    hidden = functional.elu(functional.linear(x, first.linear.weight, first.bias))
    expected = functional.linear(hidden, last.linear.weight, last.bias)[:, 0]
    torch.testing.assert_close(network(x, torch.eye(5, dtype=torch.bool)), expected)


def too_rich(name: str) -> Tree:
    """Return the tree that is traced around a phantom's vessels and lines away from them."""
    mask = draw(name, 96)[1] == 1
    truth, false = skeletonize(mask), np.zeros_like(mask)
    false[20:76:14, 10:80] = distance_to(mask)[20:76:14, 10:80] > 8
    heat = np.exp(-(distance_to(truth | false) ** 2) / 8).astype(np.float32)
    return grown(heat[None], 0.05, truth)


def near(points: Array, others: Array) -> int:
    """Return how many points lie within two pixels of others."""
    a, b = np.argwhere(points), np.argwhere(others)
    return sum(min(math.dist(p, q) for q in b) <= 2 for p in a)


def test_counts_and_features_are_those_of_brute_force() -> None:
    tree = too_rich("test-00001")
    remaining = np.random.default_rng(0).random(len(tree.present)) < 0.5
    lines = np.isin(tree.branches, np.flatnonzero(remaining) + 1)
    arrays = counted([tree], [remaining])
    nodes = [near(lines, tree.truth), lines.sum(), near(tree.truth, lines), tree.truth.sum()]
    assert arrays["test_node"].tolist() == [nodes]
    both = sum(a and b for a, b in zip(remaining, tree.present, strict=True))
    assert arrays["test_branch"].tolist() == [[both, remaining.sum(), both, tree.present.sum()]]
    for index, (right, (_, size)) in enumerate(zip(tree.present, tree.features, strict=True)):
        pixels = tree.branches == index + 1
        assert size.item() == pytest.approx(math.log(pixels.sum()), abs=1e-6)
        assert right == (near(pixels, tree.truth) > pixels.sum() / 2)


def test_shares_are_one_where_both_sides_are_empty_and_zero_where_one_is() -> None:
    shares = agreement(np.array([[0, 0, 0, 0], [0, 0, 0, 5], [0, 5, 0, 0], [3, 4, 1, 2]]))
    assert shares["precision"].tolist() == [1, 0, 0, 0.75]
    assert shares["recall"].tolist() == [1, 0, 0, 0.5]
    assert shares["f1"].tolist() == pytest.approx([1, 0, 0, 0.6])


def test_pruning_by_the_truth_reaches_precision_1_and_keeps_recall() -> None:
    trees = [too_rich(f"test-{index:05d}") for index in range(6)]
    before, after = (
        per_image(counted(trees, remaining))
        for remaining in (
            [labels([tree]) | True for tree in trees],
            [tree.present for tree in trees],
        )
    )
    assert (after["branch-precision"] == 1).all()
    assert (after["branch-recall"] == 1).all()
    assert (before["branch-precision"] < 1).all()
    assert after["node-recall"].tolist() == before["node-recall"].tolist()
    assert (after["node-precision"] > before["node-precision"]).all()
    assert after["pruned"] == pytest.approx([1 - tree.present.mean() for tree in trees])


def test_the_cut_is_the_best_of_all() -> None:
    random = np.random.default_rng(0)
    trees = [too_rich("test-00000"), too_rich("test-00001")]
    # Of few values, so that there are ties.
    scores = [random.integers(0, 6, len(t.present)) / 5 + 0.3 * t.present for t in trees]
    each, right = np.concatenate(scores), labels(trees)

    def f1(cut: float) -> float:
        remaining = each >= cut
        return float(2 * (remaining & right).sum() / (remaining.sum() + right.sum()))

    assert f1(best_cut(each, right)) == max(map(f1, each))


def test_masks_of_several_classes_are_refused() -> None:
    task = VesselGraph()
    assert task.judged_on(datasets.get("phantom-vessels"))
    assert not task.judged_on(datasets.get("phantom"))


@pytest.mark.parametrize(
    ("facts", "refused"),
    [
        ({}, ""),  # not a local dataset
        ({"mask_classes": {"0": 0.9, "1": 0.1}, "untrained_masks": []}, ""),
        ({"mask_classes": {"0": 0.8, "1": 0.1, "(ignored)": 0.1}}, "more than background"),
        ({"mask_classes": {"0": 0.9, "1": 0.1}, "untrained_masks": ["1"]}, "no training mask"),
    ],
)
def test_masks_that_run_would_refuse_are_refused_by_plan(facts: Any, refused: str) -> None:
    unit: Any = None
    reasons = list(VesselGraph().refusals(unit, facts))
    assert len(reasons) == bool(refused)
    assert all(refused in reason for reason in reasons)


@pytest.mark.systems
def test_the_command_runs_and_reports_the_tree_before_and_after_pruning(tmp_path: Path) -> None:
    results = run_and_report("vessel-graph", tmp_path)
    [path] = results.glob("records/**/rep-*.json")
    metrics, arrays = json.loads(path.read_text())["metrics"], read_predictions(path)
    assert metrics["graph-2px@unpruned/branch-recall"] == 1
    assert metrics["graph-2px@unpruned/pruned"] == 0
    assert 0 < metrics["graph-2px/pruned"] < 1
    assert metrics["graph-2px/node-f1"] > metrics["graph-2px@unpruned/node-f1"]
    values = agreement(arrays["test_node"])["f1"]
    assert metrics["graph-2px/node-f1"] == pytest.approx(values.mean())
    assert len(values) == len(arrays["test_group"]) == 40
    [path] = results.glob("reports/**/vessel-graph.md")
    report = path.read_text()
    assert "| Random ViT-nano/16 | gat |" in report
    assert "## Predicted again: phantom-vessels, node-f1" in report

"""A unit of classification from images to outcomes, on small real models."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from omnibench.cards import BackboneCard
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.npz import card_of
from omnibench.encoders.timm_encoder import TimmEncoder
from omnibench.recipe import resolve_recipe

SPLITS = {"train": 60, "val": 24, "test": 30}


def write_npz(path: Path, multi_label: bool = False, classes: int = 2) -> None:
    """Images whose brightness tells the class."""
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split, count in SPLITS.items():
        labels = np.arange(count) % classes
        images = rng.integers(0, 120, (count, 16, 16)) + 60 * labels[:, None, None]
        arrays[f"{split}_images"] = images.astype(np.uint8)
        arrays[f"{split}_labels"] = labels[:, None]
        if multi_label:
            arrays[f"{split}_labels"] = np.stack([labels, 1 - labels, np.arange(count) % 3 == 0], 1)
    np.savez(path, **arrays)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Any]:
    torch.set_num_threads(1)

    def make(
        adaptation: str = "linear", repetitions: tuple[Any, ...] = (0, 1, 2), **options: Any
    ) -> tuple[Unit, Context]:
        recipe = options.pop("recipe", {})
        path = tmp_path / "data.npz"
        write_npz(path, **options)
        unit = Unit(
            task="classification",
            dataset=card_of(path),
            backbone=BackboneCard(id="b", source="random:test_vit", pool="cls"),
            adaptation=adaptation,
            short=adaptation,
            options={},
            recipe=resolve_recipe(
                {"input_size": 32, "precision": "fp32", **recipe},
                tasks.get("classification").adaptations[adaptation].recipes,
                "recipe",
            )[1],
            suite_seed=0,
            sources={"dataset": f"data {options}", "backbone": "random:test_vit@0"},
            repetitions=tuple(repetitions),
        )
        return unit, Context(tmp_path / "results", tmp_path / "cache")

    return make


def outcomes(unit: Unit, context: Context) -> list[Any]:
    return list(tasks.get("classification").run(unit, context))


def test_a_linear_unit_learns_what_the_images_show(make: Any) -> None:
    unit, context = make()
    actual = outcomes(unit, context)
    assert [outcome.repetition for outcome in actual] == [0, 1, 2]
    for outcome in actual:
        arrays = outcome.predictions
        assert arrays["test_logits"].shape == (30, 2)
        assert arrays["val_labels"].shape == (24,)
        scores = arrays["test_logits"][:, 1].astype(float) - arrays["test_logits"][:, 0]
        expected = roc_auc_score(arrays["test_labels"], scores)
        assert outcome.metrics["omnirad-classification/auc"] == pytest.approx(expected)
        assert expected > 0.9
        assert outcome.notes["chosen"]["lr"] in unit.recipe["lr"]
        assert outcome.digests["backbone"].startswith("sha256:")
        assert outcome.cost["flops"] > 0
    seeds_differ = actual[0].predictions["test_logits"] != actual[1].predictions["test_logits"]
    assert seeds_differ.any()


@pytest.mark.parametrize("repetitions", [(1,), (0, 1), (1, 4), tuple(range(7))])
def test_a_repetitions_bits_do_not_depend_on_its_company(
    make: Any, repetitions: tuple[Any, ...]
) -> None:
    (alone,) = outcomes(*make(repetitions=(1,)))
    together = {outcome.repetition: outcome for outcome in outcomes(*make(repetitions=repetitions))}
    for name, array in alone.predictions.items():
        assert np.array_equal(array, together[1].predictions[name])


def test_a_warm_unit_does_no_forward_pass(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    forward = TimmEncoder.pooled

    def counted(self: Any, pixels: Any) -> Any:
        calls.append(len(pixels))
        return forward(self, pixels)

    monkeypatch.setattr(TimmEncoder, "pooled", counted)
    cold = outcomes(*make())
    passes = len(calls)
    # Every image once, in micro-batches of four, and one image for the FLOP count.
    assert passes == sum(-(-count // 4) for count in SPLITS.values()) + 1
    for adaptation in ("linear", "knn"):
        warm = outcomes(*make(adaptation, repetitions=(0,)))
    assert len(calls) == passes
    assert warm[0].digests["backbone"] == cold[0].digests["backbone"]


def test_knn_is_one_outcome_and_chooses_k(make: Any) -> None:
    (outcome,) = outcomes(*make("knn", repetitions=(0,)))
    assert outcome.metrics["omnirad-classification/accuracy"] > 0.8
    assert outcome.notes["chosen"]["k"] in (1, 3, 5, 10, 20, 50, 100, 200)


@pytest.mark.parametrize("adaptation", ["linear", "knn"])
def test_multi_label_has_an_auc_for_every_label(make: Any, adaptation: str) -> None:
    actual = outcomes(*make(adaptation, repetitions=(0,), multi_label=True))
    metrics = actual[0].metrics
    assert actual[0].predictions["test_logits"].shape == (30, 3)
    per_label = [metrics[f"omnirad-classification/auc-{label}"] for label in range(3)]
    assert metrics["omnirad-classification/auc"] == pytest.approx(np.mean(per_label))
    assert per_label[0] > 0.9


def test_a_limit_cuts_every_split_to_one_fixed_draw_of_each_class(make: Any) -> None:
    (outcome,) = outcomes(*make(repetitions=(0,), recipe={"limit": 10}))
    order = np.random.default_rng(0).permutation(30)  # of two equal classes: the first five of each
    rows = np.sort([row for label in (0, 1) for row in order[order % 2 == label][:5]])
    assert outcome.predictions["test_labels"].tolist() == (rows % 2).tolist()
    assert len(outcome.predictions["test_logits"]) == 10


def test_one_rate_is_a_grid_of_one(make: Any) -> None:
    unit, context = make(repetitions=(0,), recipe={"lr": 0.01})
    assert outcomes(unit, context)[0].notes["chosen"]["lr"] == 0.01

"""Classification under label budgets: what is trained on, chosen by and recorded."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from omnibench.cards import BackboneCard
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.label_subset import Subset
from omnibench.data.npz import card_of
from omnibench.encoders.timm_encoder import TimmEncoder
from omnibench.execute import execute_unit
from omnibench.label_budget import LabelBudget
from omnibench.recipe import resolve_recipe
from omnibench.store import RecordStore
from omnibench.tasks.classification.linear import Seeds, Standardise, train_heads
from omnibench.tasks.classification.training_sets import training_sets
from tests.classification.test_runner import SPLITS, write_npz

Make = Callable[..., tuple[Unit, Context]]
SMALL = {"input_size": 32, "precision": "fp32"}
TRAINED = {**SMALL, "epochs": 2, "batch": 16}


@pytest.fixture
def make(tmp_path: Path) -> Make:
    torch.set_num_threads(1)
    write_npz(tmp_path / "data.npz")

    def make(
        adaptation: str, labels: str, recipe: Any = SMALL, repetitions: Any = (0, 1), **options: int
    ) -> tuple[Unit, Context]:
        card = tasks.get("classification").adaptations[adaptation]
        unit = Unit(
            task="classification",
            dataset=card_of(tmp_path / "data.npz"),
            backbone=BackboneCard(id="b", source="random:test_vit", pool="cls"),
            adaptation=adaptation,
            short=card.short(card.options(**options).model_dump())
            + LabelBudget.from_text(labels).suffix,
            options=card.options(**options).model_dump(),
            recipe=resolve_recipe(recipe, card.recipes, "recipe")[1],
            suite_seed=0,
            sources={"dataset": "data", "backbone": "random:test_vit@0"},
            repetitions=tuple(repetitions),
            labels=labels,
        )
        return unit, Context(tmp_path / "results", tmp_path / "cache")

    return make


def outcomes(unit: Unit, context: Context) -> list[Any]:
    return list(tasks.get("classification").run(unit, context))


def test_every_adaptation_sees_the_same_images_and_is_tested_on_all(make: Make) -> None:
    hashes, tests = set(), set()
    for adaptation, recipe in (("linear", SMALL), ("knn", SMALL), ("full", TRAINED)):
        for outcome in outcomes(*make(adaptation, "10%", recipe)):
            subset = outcome.notes["subset"]
            assert subset["per_class"] == {"0": 3, "1": 3}
            assert (subset["images"], subset["validation"]) == (6, 24)
            hashes.add((outcome.repetition, subset["sha256"]))
            tests.add(outcome.predictions["test_labels"].tobytes())
    assert len(hashes) == 2  # one of each repetition
    assert len(tests) == 1


@pytest.mark.parametrize("adaptation", ["full", "head", "lora"])
def test_what_is_trained_runs_at_one_percent_in_batches_that_fit(
    make: Make, adaptation: str
) -> None:
    options = {"r": 2, "alpha": 4} if adaptation == "lora" else {}
    (outcome,) = outcomes(*make(adaptation, "1%", TRAINED, (0,), **options))
    notes = outcome.notes
    assert (notes["subset"]["images"], notes["batch_used"], notes["steps"]) == (2, 2, 2)


@pytest.mark.parametrize("adaptation", ["full", "linear"])
def test_a_budget_of_steps_makes_as_many_as_all_labels(make: Make, adaptation: str) -> None:
    recipe = {**TRAINED, "budget": "steps"}
    steps = {
        labels: outcomes(*make(adaptation, labels, recipe, (0,)))[0].notes["steps"]
        for labels in ("1%", "20%", "100%")
    }
    assert set(steps.values()) == {2 * 4}  # epochs of 60 images in batches of 16


def test_all_labels_are_noted_too(make: Make) -> None:
    (outcome,) = outcomes(*make("knn", "100%", repetitions=(0,)))
    assert outcome.notes["subset"]["images"] == SPLITS["train"]
    assert outcome.notes["subset"]["per_class"] == {"0": 30, "1": 30}


@pytest.mark.parametrize("adaptation", ["linear", "knn", "full"])
def test_matched_validation_is_cut_like_the_training_images(make: Make, adaptation: str) -> None:
    recipe = {**TRAINED, "selection": "matched-val"}
    (outcome,) = outcomes(*make(adaptation, "25%", recipe, (0,)))
    assert len(outcome.predictions["val_logits"]) == outcome.notes["subset"]["validation"] == 6
    assert np.bincount(outcome.predictions["val_labels"]).tolist() == [3, 3]
    assert len(outcome.predictions["test_logits"]) == SPLITS["test"]


def test_the_last_chooses_by_no_validation_image(make: Make) -> None:
    recipe = {**TRAINED, "selection": "last", "lr": 0.01}
    (linear,) = outcomes(*make("linear", "25%", recipe, (0,)))
    assert linear.notes["chosen"] == {"lr": 0.01}
    (full,) = outcomes(*make("full", "25%", recipe, (0,)))
    assert "chosen" not in full.notes
    assert full.notes["subset"]["validation"] == 0


def test_neighbours_are_no_more_than_the_images(make: Make) -> None:
    (outcome,) = outcomes(*make("knn", "2/class", {**SMALL, "k": [50, 200]}, (0,)))
    assert outcome.notes["chosen"]["k"] == 4


def test_six_budgets_take_one_pass_over_the_images(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    forward = TimmEncoder.pooled

    def counted(self: Any, pixels: Any) -> Any:
        calls.append(len(pixels))
        return forward(self, pixels)

    monkeypatch.setattr(TimmEncoder, "pooled", counted)
    outcomes(*make("linear", "100%"))
    passes = len(calls)
    for labels in ("1%", "5%", "10%", "25%", "50%"):
        outcomes(*make("linear", labels))
    assert len(calls) == passes


def subsets(sizes: list[int]) -> list[Subset]:
    world = np.random.default_rng(0)
    rows = [np.sort(world.permutation(40)[:size]) for size in sizes]
    return [Subset(own, np.arange(0), 40, {}) for own in rows]


@pytest.mark.parametrize("sizes", [[12, 12, 12], [12, 9, 12]])
def test_each_repetition_trains_on_its_own_images_as_it_would_alone(sizes: list[int]) -> None:
    """Where all are of one size in one product; the reference trains each by itself."""
    features = torch.randn(40, 6, generator=torch.Generator().manual_seed(0)) * 3 + 1
    targets = torch.eye(3)[torch.arange(40) % 3]
    fields: dict[str, Any] = {"epochs": 5, "batch": 5, "weight_decay": 0.01}
    drawn = subsets(sizes)
    parts = list(training_sets(features, targets, drawn))
    assert len(parts) == (1 if len(set(sizes)) == 1 else 3)
    for part in parts:
        seeds = [Seeds(slot, slot + 7) for slot in part.slots]
        heads = train_heads(part.features, part.targets, (1e-2,), seeds, rows=part.rows, **fields)
        for place, slot in enumerate(part.slots):
            rows = torch.from_numpy(drawn[slot].train)
            scale = Standardise.from_features(features[rows])
            alone = train_heads(
                scale(features[rows]), targets[rows], (1e-2,), [seeds[place]], **fields
            )
            assert torch.allclose(heads.weight[place], alone.weight[0], atol=1e-6)
            assert torch.equal(part.scales[place].mean, scale.mean)


def test_a_repetitions_bits_do_not_depend_on_its_company(make: Make) -> None:
    unit, context = make("linear", "20%", repetitions=(1,))
    (alone,) = outcomes(unit, context)
    company = outcomes(replace(unit, repetitions=(0, 1, 6)), context)
    assert np.array_equal(alone.predictions["test_logits"], company[1].predictions["test_logits"])


def test_a_record_has_its_budget_in_spec_path_and_pairing(make: Make) -> None:
    unit, context = make("linear", "10%")
    assert execute_unit(unit, context).repetitions == {0: None, 1: None}
    store = RecordStore(context.results)
    for cell in unit.cells:
        record = store.read(cell)
        assert record is not None
        assert record["spec"]["labels"] == "10%"
        assert record["pairing"] == unit.pairing(
            cell.repetition, record["notes"]["subset"]["sha256"]
        )
        assert store.path(cell).parent.name == "linear@10pct"
    whole, _ = make("linear", "100%")
    execute_unit(whole, context)
    record = store.read(whole.cells[0])
    assert record is not None
    assert record["pairing"] == whole.pairing(0)
    assert "labels" not in record["spec"]

"""The recipe `retfound` and its fields: rates of every layer, resuming, refusals."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.errors import RequestError
from omnibench.recipe import resolve_recipe
from omnibench.sources import Sources
from omnibench.suite import load
from omnibench.training.steps import Steps
from tests.classification.conftest import write
from tests.conftest import Bench

TASK = tasks.get("classification")
SMALL = {"base": "retfound", "input_size": 32, "precision": "fp32", "batch": 12}
DEPTH = 6  # of test_vit
Make = Callable[..., tuple[Unit, Context]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    torch.set_num_threads(1)
    write(tmp_path / "data.npz", 0, {"train": 36, "val": 12, "test": 18}, 16)

    def make(place: str, adaptation: str = "full", **recipe: Any) -> tuple[Unit, Context]:
        block = {
            "task": "classification",
            "datasets": [f"npz:{tmp_path / 'data.npz'}"],
            "adaptations": [adaptation],
            "recipe": {**SMALL, **recipe},
        }
        backbones = [{"id": "b", "source": "random:test_vit", "pool": "cls"}]
        suite = {"name": "s", "repetitions": 1, "backbones": backbones, "matrix": [block]}
        (unit,) = load(suite, Sources(tmp_path, tmp_path / place)).units
        return unit, Context(tmp_path / place, tmp_path / "cache")

    return make


def outcome(unit: Unit, context: Context) -> Any:
    (actual,) = TASK.run(unit, context)
    return actual


def layer(name: str) -> int:
    """Return 0 for what stands before the blocks, 1 to DEPTH for a block, then the head's."""
    part = name.removeprefix("backbone.").split(".")
    if part[0] == "blocks":
        return int(part[1]) + 1
    return {"norm": DEPTH, "head": DEPTH + 1}.get(part[0], 0)


def test_rates_of_every_layer_are_the_closed_form(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[Mapping[str, tuple[float, float]]] = []
    original = Steps.update

    def update(self: Steps, step: int) -> float:
        names = {id(p): name for name, p in self.job.model.named_parameters()}
        groups = self.optimiser.param_groups
        rates.append(
            {names[id(p)]: (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
        )
        return original(self, step)

    monkeypatch.setattr(Steps, "update", update)
    actual = outcome(*make("rates", epochs=4, warmup_epochs=1))
    highest, floor, each = 5e-3 * 12 / 256, 1e-6, 3
    assert len(rates) == 4 * each
    for step, of_step in enumerate(rates):
        epoch = step / each
        rate = highest * epoch
        if epoch >= 1:
            rate = floor + (highest - floor) * (1 + math.cos(math.pi * (epoch - 1) / 3)) / 2
        for name, (own, decay) in of_step.items():
            assert own == pytest.approx(rate * 0.65 ** (DEPTH + 1 - layer(name)), rel=1e-12), name
            plain = "bias" in name or "norm" in name or name.endswith(("_embed", "cls_token"))
            assert decay == (0.0 if plain else 0.05), name
    lines = [json.loads(line) for line in actual.files["epochs.jsonl"].splitlines()]
    scores = [line["validation"]["retfound-score"] for line in lines]
    assert actual.notes["chosen"]["val_retfound_score"] == max(scores)
    assert set(actual.metrics) >= {"retfound/score", "retfound/auprc", "retfound/kappa"}


class Killed(BaseException):
    pass


def test_a_killed_training_ends_in_the_same_bits_with_all_that_is_drawn(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = {"epochs": 2, "warmup_epochs": 1, "mixup": 0.8, "dropout": 0.2}
    plain = outcome(*make("plain", **recipe))
    original = Steps.gradients

    def dying(self: Any, number: Any, rows: Any) -> Any:
        if number == 4:
            raise Killed
        return original(self, number, rows)

    monkeypatch.setattr(Steps, "gradients", dying)
    with pytest.raises(Killed):
        outcome(*make("killed", **recipe))
    monkeypatch.undo()
    resumed = outcome(*make("killed", **recipe))
    parts = outcome(*make("parts", **recipe, micro_batch=5))
    still = outcome(*make("still", **{**recipe, "drop_path": 0.0}))
    for name, array in plain.predictions.items():
        assert np.array_equal(array, resumed.predictions[name]), name
        if name.endswith("logits"):
            assert np.allclose(array, parts.predictions[name], atol=1e-3), name
    assert not np.array_equal(plain.predictions["test_logits"], still.predictions["test_logits"])


def test_of_head_the_backbone_stays_and_its_branches_are_skipped(make: Make) -> None:
    recipe = {"epochs": 1, "warmup_epochs": 0}
    losses = []
    for rate in (0.0, 0.9):
        actual = outcome(*make(f"at-{rate}", "head", **recipe, drop_path=rate))
        assert actual.cost["trainable_parameters"] == 3 * (64 + 1)
        losses.append(json.loads(actual.files["epochs.jsonl"])["loss"])
    assert losses[0] != losses[1]
    still = {"flip": 0, "crop_scale": 1, "randaugment": None, "erasing": 0, "drop_path": 0}
    assert TASK.frozen_kind(make("x", "head", **still)[0]) == "embed"
    for drawn in ({"drop_path": 0.1}, {"mixup": 1}, {"erasing": 0.1}, {"randaugment": "rand-m1"}):
        assert TASK.frozen_kind(make("x", "head", **{**still, **drawn})[0]) is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"layer_decay": 1.5}, "recipe.layer_decay: should be less than or equal to 1"),
        ({"layer_decay": 0}, "recipe.layer_decay: should be greater than 0"),
        ({"drop_path": 1}, "recipe.drop_path: should be less than 1"),
        ({"label_smoothing": 1}, "recipe.label_smoothing: should be less than 1"),
        ({"erasing": -0.1}, "recipe.erasing: should be greater than or equal to 0"),
        ({"mixup": math.nan}, "recipe.mixup: should be"),
        ({"mixup": -1}, "recipe.mixup: should be greater than or equal to 0"),
        ({"epochs": 5}, r"recipe: warmup_epochs 10.0 leaves nothing of 5 epochs"),
        ({"randaugment": "rand-m99"}, "recipe.randaugment: 'rand-m99' is no policy; write one"),
        ({"randaugment": ""}, "recipe.randaugment: '' is no policy"),
        ({"rotation": 7}, "rotation is of no use with randaugment or erasing"),
        ({"min_lr": 1}, "min_lr 1 lies above the highest rate, 0.00046875; lower it"),
        ({"decay": "none"}, "min_lr ends a cosine or a line, and decay is 'none'"),
        ({"mixup": 1, "loss": "focal"}, "mixup is of plain cross-entropy; leave it out"),
        (
            {"label_smoothing": 0.1, "class_weights": "sqrt-inverse"},
            "label_smoothing is of plain cross-entropy",
        ),
        ({"lr_scaling": "linear"}, "recipe.lr_scaling: should be 'none' or 'linear-256'"),
        ({"head_std": 0}, "recipe.head_std: should be greater than 0"),
    ],
)
def test_values_without_sense_are_refused_by_name(changes: dict[str, Any], sentence: str) -> None:
    recipes = TASK.adaptations["full"].recipes
    with pytest.raises(RequestError, match=sentence):
        resolve_recipe({"base": "retfound", **changes}, recipes, "recipe")


def test_plan_refuses_what_a_network_or_the_labels_have_nothing_for(
    tmp_path: Path, bench: Bench
) -> None:
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        "name: s\nrepetitions: 1\nbackbones:\n"
        "  - medmnist-resnet18\n"
        "  - {id: own-vgg, source: 'random:vgg11'}\n"
        "  - {id: own-pit, source: 'random:pit_ti_224'}\n"
        "  - random-vit-nano\n"
        "  - efficientnet-lite0\n"
        "matrix:\n"
        "  - {task: classification, datasets: [phantom-easy], adaptations: [full],\n"
        "     recipe: {base: retfound, limit: 60}}\n"
        "  - {task: classification, datasets: [phantom-findings], adaptations: [head],\n"
        "     backbones: [random-vit-nano],\n"
        "     recipe: {base: retfound, limit: 60, label_smoothing: 0.1}}\n"
    )
    status, out, err = bench("plan", suite)
    text = " ".join((out + err).split())
    assert status == 0, text
    for sentence in (
        "recipe.layer_decay: nothing says which layers medmnist-resnet18 has; leave it out",
        "recipe.drop_path: medmnist-resnet18 has no branches to drop; set it to 0",
        "recipe.drop_path: own-vgg has no branches to drop; set it to 0",
        "recipe.layer_decay: nothing says which layers own-pit has; leave it out",
        "recipe.label_smoothing: it is of one class an image, and the dataset has several labels",
        "recipe.select: 'retfound-score' is of one class an image",
    ):
        assert sentence in text
    for name in ("efficientnet-lite0", "random-vit-nano"):
        assert f"{name} has" not in text

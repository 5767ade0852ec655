"""Trained adaptations on small models: learning, resuming, refusing."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from omnibench.adapt.trainable import attach
from omnibench.cards import BackboneCard
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.npz import card_of
from omnibench.encoders.build import load_trainable
from omnibench.encoders.forward import counted_flops
from omnibench.encoders.frozen import FrozenPass
from omnibench.errors import DataError, NumericError, RequestError
from omnibench.recipe import resolve_recipe
from omnibench.tasks.classification.classifier import Classifier
from omnibench.tasks.classification.finetune import ClassificationTrial
from omnibench.tasks.classification.pixels import TrainingPixels
from omnibench.tasks.classification.recipes import MEDMNIST, OMNIRAD
from omnibench.training.augment import Augmentation
from omnibench.training.checkpoint import Checkpoints
from omnibench.training.steps import Steps
from tests.conftest import Bench

SPLITS = {"train": 48, "val": 24, "test": 30}
FAST = {"input_size": 32, "precision": "fp32", "epochs": 3, "batch": 16, "lr": 3e-3}
LORA = {"r": 4, "alpha": 8, "dropout": 0.1, "head": "full", "sites": "all-linear"}


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Any]:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split, count in SPLITS.items():
        labels = np.arange(count) % 2
        images = rng.integers(0, 100, (count, 16, 16)) + 80 * labels[:, None, None]
        arrays[f"{split}_images"] = images.astype(np.uint8)
        arrays[f"{split}_labels"] = labels[:, None]
    np.savez(tmp_path / "data.npz", **arrays)

    def make(
        adaptation: str = "full",
        place: str = "results",
        source: str = "random:test_vit",
        options: Any = None,
        **recipe: Any,
    ) -> tuple[Unit, Context]:
        task = tasks.get("classification")
        card = task.adaptations[adaptation]
        options = options or (LORA if adaptation == "lora" else {})
        unit = Unit(
            task="classification",
            dataset=card_of(tmp_path / "data.npz"),
            backbone=BackboneCard(id="b", source=source),
            adaptation=adaptation,
            short=card.short(options),
            options=options,
            recipe=resolve_recipe({**FAST, **recipe}, card.recipes, "recipe")[1],
            suite_seed=0,
            sources={"dataset": "data", "backbone": source},
            repetitions=(0,),
        )
        return unit, Context(tmp_path / place, tmp_path / "cache")

    return make


def outcome(unit: Unit, context: Context) -> Any:
    (actual,) = tasks.get("classification").run(unit, context)
    return actual


@pytest.mark.parametrize("adaptation", ["head", "full", "lora"])
@pytest.mark.parametrize("source", ["random:test_vit", "random:test_efficientnet"])
def test_every_adaptation_learns_and_trains_what_it_says(
    make: Any, adaptation: str, source: str
) -> None:
    unit, context = make(adaptation, source=source, input_size=64, epochs=4)
    actual = outcome(unit, context)
    assert actual.metrics["omnirad-classification/auc"] > 0.8
    total, trainable = actual.cost["total_parameters"], actual.cost["trainable_parameters"]
    assert trainable > 0
    assert (trainable > total) if adaptation == "full" else (trainable < total / 2)
    lines = [json.loads(line) for line in actual.files["epochs.jsonl"].splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1, 2, 3]
    assert actual.notes["chosen"]["epoch"] == max(
        range(4), key=lambda e: (lines[e]["validation"]["macro-f1"], e)
    )
    assert not list((context.results / "checkpoints").glob("*/*"))


def test_lora_on_the_embedding_leaves_the_backbone_as_it_is(make: Any) -> None:
    options = {**LORA, "sites": "embedding"}
    actual = outcome(*make("lora", options=options, epochs=6))
    assert actual.metrics["omnirad-classification/auc"] > 0.8
    width = 64  # of test_vit
    assert actual.cost["trainable_parameters"] == 2 * 4 * width + 2 * (width + 1)
    with pytest.raises(RequestError, match="LoRA rank 5000 is larger than the embedding allows"):
        outcome(*make("lora", options={**options, "r": 5000}))


@pytest.mark.parametrize(("adaptation", "passes"), [("full", 3), ("lora", 3), ("head", 1)])
def test_flops_are_of_training_validation_and_prediction(
    make: Any, adaptation: str, passes: int
) -> None:
    unit, context = make(adaptation, evaluate=[0.5])
    actual = outcome(unit, context)
    loaded = load_trainable(unit, context, "fp32")
    head = Classifier.drawn_head(loaded.encoder, 2)
    trainable = attach(
        tasks.get("classification").adaptations[adaptation], loaded.encoder, unit.options
    )
    model = Classifier(trainable, head, dropout=0.0)
    blank = torch.zeros(1, 3, 32, 32)
    with counted_flops() as counter, torch.no_grad():
        loaded.encoder.pooled(blank)
    backbone = counter.get_total_flops()
    classes = 2 * 2 * model.width  # of the head, a multiply-add being two
    lines = [json.loads(line) for line in actual.files["epochs.jsonl"].splitlines()]
    each = passes * backbone + 3 * classes
    assert [line["flops"] for line in lines] == [line["images"] * each for line in lines]
    assert [line["images"] for line in lines] == [32, 48, 96, 144]
    # Four validations of 24, and 24 + 30 predictions; a frozen backbone sees those 54 but once.
    seen = 54 if adaptation == "head" else 4 * 24 + 54
    others = seen * backbone + (4 * 24 + 54) * classes
    assert actual.cost["flops"] == pytest.approx(144 * each + others, rel=1e-12)
    assert actual.cost["processes"] == 1
    assert 0 < actual.cost["train_seconds"] < actual.cost["phases"]["training"]


STILL: dict[str, Any] = {"flip": 0.0, "rotation": 0.0, "crop_scale": 1.0, "dropout": 0.3}


@pytest.mark.parametrize("adaptation", ["head", "molre"])
def test_without_augmentation_a_frozen_backbone_sees_each_image_once(
    make: Any, monkeypatch: pytest.MonkeyPatch, adaptation: str
) -> None:
    seen: list[int] = []
    original = FrozenPass.rows

    def rows(self: Any, name: str, split: Any, start: int, stop: int) -> Any:
        seen.append(stop - start)
        return original(self, name, split, start, stop)

    monkeypatch.setattr(FrozenPass, "rows", rows)
    options = {"experts": 3, "r": 4, "alpha": 4, "site": "embedding", "router": "soft"}
    options = {**options, "hidden": 0.25} if adaptation == "molre" else {}
    recipe = {**STILL, "evaluate": [0.5], "options": options}
    with monkeypatch.context() as patch:
        patch.setattr(Augmentation, "keeps", lambda *_: False)
        plain = outcome(*make(adaptation, place="plain", **recipe))
    assert sum(seen) == SPLITS["val"] + SPLITS["test"]
    with monkeypatch.context() as patch:
        patch.delattr(TrainingPixels, "__call__")
        cached = outcome(*make(adaptation, place="cached", **recipe))
    assert sum(seen) == sum(SPLITS.values())
    for name, array in plain.predictions.items():
        assert np.allclose(array, cached.predictions[name], atol=2e-3), name
    first = json.loads(cached.files["epochs.jsonl"].splitlines()[0])
    others = json.loads(plain.files["epochs.jsonl"].splitlines()[0])
    assert first["flops"] < others["flops"] / 5
    assert cached.cost["flops"] < plain.cost["flops"]


def test_only_square_images_without_augmentation_stay_as_they_are() -> None:
    still = Augmentation(32, flip=0, degrees=0, scale=(1, 1))
    assert still.keeps(20, 20)
    assert not still.keeps(20, 40)
    for changed in ({"flip": 0.5}, {"degrees": 1.0}, {"scale": (0.9, 1)}):
        assert not replace(still, **changed).keeps(20, 20)


@pytest.mark.parametrize("adaptation", ["head", "full", "lora"])
def test_early_evaluations_change_no_prediction(make: Any, adaptation: str) -> None:
    recipe = {"source": "random:test_efficientnet", "input_size": 64, "dropout": 0.3}
    plain = outcome(*make(adaptation, place="plain", **recipe))
    early = outcome(*make(adaptation, place="early", evaluate=[0.1, 0.4, 1], **recipe))
    assert len(early.files["epochs.jsonl"].splitlines()) == 5
    assert len(plain.files["epochs.jsonl"].splitlines()) == 3
    assert early.notes["chosen"] == plain.notes["chosen"]
    for name, array in plain.predictions.items():
        assert np.array_equal(array, early.predictions[name])


@pytest.mark.parametrize("adaptation", ["head", "lora"])
def test_frozen_parts_stay_as_they_are(make: Any, adaptation: str) -> None:
    unit, context = make(adaptation, source="random:test_efficientnet", input_size=64)
    loaded = load_trainable(unit, context, "fp32")
    before = {n: v.clone() for n, v in loaded.encoder.module.state_dict().items()}
    head = Classifier.drawn_head(loaded.encoder, 2)
    card = tasks.get("classification").adaptations[adaptation]
    model = Classifier(attach(card, loaded.encoder, unit.options), head, dropout=0.0)
    model.set_training()
    assert not any(m.training for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    with torch.no_grad():
        model(torch.randn(4, 3, 64, 64))
    after = {n.replace(".base_layer", ""): v for n, v in model.backbone.state_dict().items()}
    assert all(torch.equal(after[name], value) for name, value in before.items())


class Killed(BaseException):
    pass


@pytest.mark.parametrize("adaptation", ["full", "lora"])
@pytest.mark.parametrize("step", [1, 4, 7])  # in the first, the second and the third epoch
def test_a_training_killed_anywhere_ends_in_the_same_bits(
    make: Any, monkeypatch: pytest.MonkeyPatch, adaptation: str, step: int
) -> None:
    recipe = {"dropout": 0.3}
    plain = outcome(*make(adaptation, place="plain", **recipe))
    original = Steps.gradients

    def dying(self: Any, number: Any, rows: Any) -> Any:
        if number == step:
            raise Killed
        return original(self, number, rows)

    monkeypatch.setattr(Steps, "gradients", dying)
    with pytest.raises(Killed):
        outcome(*make(adaptation, place="killed", **recipe))
    monkeypatch.undo()
    resumed = outcome(*make(adaptation, place="killed", **recipe))
    for name, array in plain.predictions.items():
        assert np.array_equal(array, resumed.predictions[name])


def test_a_checkpoint_cut_short_gives_way_to_the_one_before(
    make: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plain = outcome(*make(place="plain"))
    monkeypatch.setattr(Checkpoints, "remove", lambda self: None)
    unit, context = make(place="cut")
    outcome(unit, context)
    last = Checkpoints(context.results / "checkpoints" / f"{unit.cells[0].digest}-fp32").paths[0]
    last.write_bytes(last.read_bytes()[:1000])
    resumed = outcome(unit, context)
    assert "is damaged; the one before it is used" in caplog.text
    assert np.array_equal(plain.predictions["test_logits"], resumed.predictions["test_logits"])


def test_a_changed_recipe_is_another_cell_with_other_checkpoints(make: Any) -> None:
    first, _ = make()
    second, _ = make(lr=1e-3)
    assert first.cells[0].digest != second.cells[0].digest


def test_a_loss_that_is_not_finite_names_epoch_and_step_and_keeps_the_checkpoint(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = ClassificationTrial.loss
    monkeypatch.setattr(
        ClassificationTrial,
        "loss",
        lambda self, b: original(self, b) * (float("nan") if b.step == 4 else 1),
    )
    unit, context = make()
    with pytest.raises(
        NumericError, match=r"the loss is nan at epoch 1, step 1; .* step 3 is kept"
    ):
        outcome(unit, context)
    folder = context.results / "checkpoints" / f"{unit.cells[0].digest}-fp32"
    checkpoint = Checkpoints(folder).load()
    assert checkpoint is not None
    assert checkpoint["step"] == 3


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch": 64}, DataError, "recipe.batch 64 exceeds the training split's 48 cases"),
        (
            {"adaptation": "lora", "options": {**LORA, "r": 5000}},
            RequestError,
            "LoRA rank 5000 is larger than the layer 'blocks.0.attn.qkv' allows",
        ),
        ({"limit": 1, "batch": 1}, DataError, "limit 1 leaves fewer training cases than the 2 cl"),
    ],
)
def test_what_cannot_be_trained_is_refused_by_name(
    make: Any, arguments: dict[str, Any], error: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        outcome(*make(**arguments))


def test_micro_batches_change_rounding_alone(make: Any) -> None:
    whole = outcome(*make(dropout=0.2))
    unit, context = make(dropout=0.2, micro_batch=5)
    parts = outcome(unit, replace(context, results=context.results / "parts"))
    assert np.allclose(
        whole.predictions["test_logits"], parts.predictions["test_logits"], atol=2e-3
    )


def test_the_epoch_may_be_chosen_by_auc(make: Any) -> None:
    unit, context = make(select="auc", epochs=5, lr=1e-4)
    actual = outcome(unit, context)
    stored = actual.predictions
    score = stored["val_logits"][:, 1] - stored["val_logits"][:, 0]
    lines = actual.files["epochs.jsonl"].splitlines()
    areas = [json.loads(line)["validation"]["auc"] for line in lines]
    assert actual.notes["chosen"]["val_auc"] == max(areas)
    assert max(areas) == pytest.approx(roc_auc_score(stored["val_labels"], score))
    assert areas[actual.notes["chosen"]["epoch"]] == max(areas)


def test_an_auc_that_validation_does_not_define_is_refused_as_early_as_it_is_known(
    tmp_path: Path, make: Any, bench: Bench
) -> None:
    with np.load(tmp_path / "data.npz") as stored:
        arrays = {**stored, "val_labels": np.zeros_like(stored["val_labels"])}
    np.savez(tmp_path / "data.npz", **arrays)
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        "name: s\nbackbones: [random-vit-tiny]\nmatrix: [{task: classification, "
        "datasets: ['npz:data.npz'], adaptations: [full], recipe: {select: auc}}]\n"
    )
    sentence = "recipe.select: 'auc' is undefined on the validation images"
    assert sentence in bench("plan", suite)[1]
    with pytest.raises(DataError, match=sentence):
        outcome(*make(select="auc"))


def test_the_medmnist_recipe_is_that_of_its_authors() -> None:
    fields = MEDMNIST.model_dump()
    assert (fields["epochs"], fields["batch"], fields["lr"]) == (100, 128, 1e-3)
    assert (fields["weight_decay"], fields["warmup_epochs"], fields["clip_norm"]) == (0, 0, None)
    assert (fields["decay"], fields["schedule_step"], fields["select"]) == ("step", "epoch", "auc")
    assert (fields["flip"], fields["rotation"], fields["crop_scale"]) == (0, 0, 1)
    assert (fields["input_size"], fields["init"]) == (28, "per-repetition")
    # A step of AdamW without decay is Adam's.
    parts = [torch.nn.Parameter(torch.ones(3)) for _ in range(2)]
    for part, kind in zip(parts, (torch.optim.AdamW, torch.optim.Adam), strict=True):
        optimiser = kind([part], lr=1e-3, weight_decay=0.0)
        for step in range(3):
            part.grad = torch.tensor([1.0, -2.0, 0.5]) * (step + 1)
            optimiser.step()
    assert torch.equal(*parts)


def test_without_augmentation_a_square_image_stays_as_it_is() -> None:
    images = torch.randint(0, 256, (200, 28, 28), dtype=torch.uint8)
    plain = Augmentation(28, MEDMNIST.flip, MEDMNIST.rotation, (MEDMNIST.crop_scale, 1.0))
    maps = plain.draw(len(images), 28, 28, torch.Generator().manual_seed(0))
    assert torch.allclose(plain.apply(images, maps)[:, 0], images.float(), atol=1e-2)


def test_the_omnirad_recipe_is_the_studys() -> None:
    fields = OMNIRAD.model_dump()
    assert (fields["epochs"], fields["batch"], fields["lr"]) == (40, 128, 1e-5)
    assert (fields["weight_decay"], fields["betas"]) == (0.01, (0.9, 0.999))
    assert (fields["warmup_epochs"], fields["schedule_step"], fields["warmup_start"]) == (
        10,
        "epoch",
        0.01,
    )
    assert (fields["dropout"], fields["class_weights"]) == (0.4, "sqrt-inverse")
    assert (fields["flip"], fields["rotation"], fields["crop_scale"]) == (0.5, 7.0, 0.85)
    assert fields["normalization"] == "imagenet"

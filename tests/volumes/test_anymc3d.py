"""`anymc3d`: the published numbers of parameters, its start, its views, and what is trained."""

from typing import Any

import numpy as np
import pytest
import timm
import torch
from transformers import ViTConfig, ViTModel

from omnibench.cards import BackboneCard
from omnibench.catalogue import tasks
from omnibench.encoders.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from omnibench.encoders.timm_encoder import TimmEncoder
from omnibench.encoders.transformers_encoder import TransformersEncoder
from omnibench.tasks.volumes.anymc3d import AnyMC3DTrial, attach, fusion
from omnibench.tasks.volumes.classifier import StudyClassifier
from omnibench.training.job import Batch
from tests.volumes.conftest import Ran, Units

OPTIONS: dict[str, Any] = {"r": 8, "alpha": 16, "pool": "attention", "auxiliary": 0.0, "views": 1}


def prepare(size: int) -> Preprocess:
    meta = torch.device("meta")
    return Preprocess(size, IMAGENET_MEAN, IMAGENET_STD, meta, torch.float32)


def trained(encoder: Any, width: int, outputs: int, **options: Any) -> int:
    """Return how many parameters are trained, of a model without memory."""
    own = {**OPTIONS, **options}
    with torch.device("meta"):
        encoder.module.requires_grad_(False)
        model = StudyClassifier(
            attach(encoder, own), fusion(own, width, own["views"]), width, outputs
        )
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def timm_encoder(name: str, size: int) -> TimmEncoder:
    with torch.device("meta"):
        module: Any = timm.create_model(name, num_classes=0, img_size=size)
    return TimmEncoder(module, prepare(size))


def test_a_large_vit_trains_the_published_number_of_parameters() -> None:
    each = 24 * (8 * (1024 + 3 * 1024) + 8 * (1024 + 1024)) + 8 * (3 * 16**2 + 1024)
    counts = {outputs: each + 1024 + outputs * 1025 for outputs in (1, 2)}
    for outputs, expected in counts.items():
        encoder = timm_encoder("vit_large_patch16_224", 224)
        assert trained(encoder, 1024, outputs) == expected
    # Published: 1.20 M, with one logit for yes or no; a head of two classes has 1,025 more.
    assert counts == {1: 1_196_033, 2: 1_197_058}


def test_a_base_vit_with_18_findings_trains_the_number_of_parameters_reported() -> None:
    assert trained(timm_encoder("vit_base_patch14_dinov2", 224), 768, 18) == 467_826


def test_split_projections_of_transformers_are_counted_as_they_are() -> None:
    with torch.device("meta"):
        module = ViTModel(ViTConfig(), add_pooling_layer=False)
    card = BackboneCard(id="b", source="transformers:x")
    encoder = TransformersEncoder(module, prepare(224), card, "cls")
    each = 12 * 4 * 8 * (768 + 768) + 8 * (3 * 16**2 + 768)
    assert trained(encoder, 768, 1) == each + 768 + 769


def test_each_view_has_updates_and_a_query_of_its_own_and_one_query_fuses_them() -> None:
    alone, both = (trained(timm_encoder("test_vit", 32), 64, 2, views=views) for views in (1, 2))
    updates = alone - 64 - 2 * 65
    assert both == 2 * updates + 3 * 64 + 2 * 65


@pytest.mark.parametrize("dataset", ["tiny-volume", "tiny-views"])
def test_its_first_answers_are_attention_over_the_frozen_backbones_slices(
    units: Units, dataset: str
) -> None:
    logits = []
    for adaptation in ("anymc3d", "head"):
        (unit,), context = units(adaptation, dataset)
        torch.manual_seed(0)
        trial: Any = tasks.get("volumes").prepare(unit, context)(0)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():  # what LoRA drew before them aside
            trial.model.fusion.query.normal_(generator=generator)
            trial.model.head[0].weight.normal_(generator=generator)
        logits.append(trial.answers("test")[0])
    assert logits[0] == pytest.approx(logits[1], abs=1e-5)
    assert np.ptp(logits[0]) > 0.1


def gradients(trial: AnyMC3DTrial, rows: list[int]) -> dict[str, torch.Tensor]:
    """Return the gradients that a step on some studies leaves."""
    trial.model.zero_grad(set_to_none=True)
    step = torch.tensor(rows)
    trial.loss(Batch(0, step, torch.arange(len(step)), step)).backward()
    return {n: p.grad for n, p in trial.model.named_parameters() if p.grad is not None}


def trial_of(units: Units, dataset: str, **options: Any) -> AnyMC3DTrial:
    (unit,), context = units({"anymc3d": options}, dataset)
    torch.manual_seed(0)
    trial = tasks.get("volumes").prepare(unit, context)(0)
    assert isinstance(trial, AnyMC3DTrial)
    with torch.no_grad():
        for name, parameter in trial.model.named_parameters():
            if "lora_B" in name:  # else A has no gradient
                parameter.normal_(std=0.02)
    return trial


def test_gradients_reach_the_updates_the_query_and_the_head_alone(units: Units) -> None:
    reached = gradients(trial_of(units, "tiny-volume"), [0, 1])
    parts = {"lora_" if "lora_" in name else name for name in reached}
    assert parts == {"lora_", "fusion.query", "head.0.weight", "head.0.bias"}
    assert all(gradient.any() for gradient in reached.values())


def test_a_view_that_a_batch_lacks_gets_a_gradient_of_zeros(units: Units) -> None:
    trial = trial_of(units, "tiny-views")
    of_views = {
        view: [g for n, g in gradients(trial, [3, 7]).items() if f"view{view}" in n]
        for view in (0, 1)
    }
    assert len(of_views[0]) == len(of_views[1]) > 0
    assert all(gradient.any() for gradient in of_views[0])
    assert not any(gradient.any() for gradient in of_views[1])


def test_a_views_updates_change_no_other_views_embeddings(units: Units) -> None:
    trial = trial_of(units, "tiny-views")
    images = torch.randint(0, 255, (2, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        before = [trial.embed(images, view) for view in (0, 1)]
        for name, parameter in trial.model.named_parameters():
            if "lora_B.view1" in name:
                parameter.add_(0.1)
        after = [trial.embed(images, view) for view in (0, 1)]
    assert torch.equal(before[0], after[0])
    assert not torch.allclose(before[1], after[1], atol=1e-3)


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_other_poolings_have_no_query_and_no_weights(ran: Ran, pool: str) -> None:
    (outcome,) = ran({"anymc3d": {"pool": pool}}, recipe={"epochs": 1})
    assert "test_slice_weight" not in outcome.predictions
    layers = 6 * (8 * (64 + 3 * 64) + 8 * (64 + 64)) + 8 * (3 * 16**2 + 64)
    assert outcome.cost["trainable_parameters"] == layers + 2 * 65


def test_it_learns_where_the_lesion_is(ran: Ran) -> None:
    (outcome,) = ran("anymc3d", recipe={"epochs": 12, "lr": 1e-2, "batch": 8})
    area = outcome.metrics["omnirad-classification/auc"]
    assert area is not None
    assert area > 0.9

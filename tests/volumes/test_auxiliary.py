"""The loss on pixels: its decoder and formula, and its share of a step."""

from typing import Any

import pytest
import torch
from monai.losses.dice import DiceLoss
from torch.nn import functional

from omnibench.cards import BackboneCard
from omnibench.data.declaration import VOID
from omnibench.encoders.build import load_encoder
from omnibench.tasks.volumes.auxiliary import TokenDecoder, embed_with_patches, pixel_loss
from omnibench.training.job import Batch
from tests.volumes.conftest import Ran, Units
from tests.volumes.test_anymc3d import gradients, trial_of

WEIGHT = 0.5


def test_the_loss_is_binary_cross_entropy_and_monais_dice_of_each_class() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 4, generator=generator)
    masks = torch.randint(0, 3, (3, 4, 4), generator=generator, dtype=torch.uint8)
    truth = torch.stack([masks == 1, masks == 2]).float()
    entropy = functional.binary_cross_entropy_with_logits(logits, truth)
    dice = DiceLoss(sigmoid=True, smooth_nr=1.0, smooth_dr=1.0)(logits[None], truth[None])
    assert pixel_loss(logits, masks).item() == pytest.approx((entropy + dice).item(), abs=1e-6)


def test_what_is_ignored_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 2, 4, 4, generator=generator)
    masks = torch.randint(0, 2, (2, 4, 4), generator=generator, dtype=torch.uint8)
    masks[:, 2:] = VOID
    other = logits.clone()
    other[:, :, 2:] = 100.0
    whole = pixel_loss(logits, masks)
    assert torch.equal(whole, pixel_loss(other, masks))
    assert whole.item() == pytest.approx(pixel_loss(logits[:, :, :2], masks[:, :2]).item())


def test_logits_are_enlarged_to_the_masks() -> None:
    logits = torch.full((1, 2, 2, 2), 20.0)
    assert pixel_loss(logits, torch.ones(2, 8, 8, dtype=torch.uint8)).item() < 1e-6


def test_the_decoder_sees_the_slices_beside_a_slice() -> None:
    torch.manual_seed(0)
    decoder = TokenDecoder(8, 2)
    patches = torch.randn(5, 2, 3, 8)
    logits = decoder(patches)
    assert logits.shape == (2, 5, 2, 3)
    patches[0] += 1.0
    moved = (decoder(patches) - logits).abs().amax(dim=(0, 2, 3)) > 1e-6
    assert moved.tolist() == [True, True, True, False, False]


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_embeddings_that_come_with_patches_are_the_encoders(
    tmp_path: Any, pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = BackboneCard(id="b", source="random:test_vit", pool=pool)
    recipe = {"input_size": 32, "normalization": "backbone", "precision": "fp32"}
    encoder: Any = load_encoder(card, recipe, "cpu", tmp_path, tmp_path).encoder
    images = torch.randint(0, 255, (3, 32, 32), dtype=torch.uint8)
    embedding, patches = embed_with_patches(encoder, images)
    assert patches.shape == (3, 2, 2, 64)
    assert torch.equal(embedding, encoder.embed(images))
    monkeypatch.delattr(encoder, "pool")
    encoder.pooled = lambda pixels: pixels.mean(dim=(1, 2, 3))[:, None]
    assert embed_with_patches(encoder, images)[0].shape == (3, 1)


def test_a_weight_adds_the_pixels_loss_and_leaves_the_labels_loss(units: Units) -> None:
    plain, pixels = (trial_of(units, "tiny-volume", auxiliary=w) for w in (0.0, WEIGHT))
    for name, parameter in plain.model.state_dict().items():
        pixels.model.state_dict()[name].copy_(parameter)
    own = [gradients(trial, [0, 1, 2]) for trial in (plain, pixels)]
    assert torch.allclose(own[0]["head.0.weight"], own[1]["head.0.weight"], atol=1e-6)
    name = next(n for n in own[0] if "lora_B" in n)
    assert not torch.allclose(own[0][name], own[1][name], atol=1e-4)
    assert {n for n in own[1] if n not in own[0]} == {
        n for n, _ in pixels.model.named_parameters() if n.startswith("decoder")
    }


@pytest.mark.parametrize("dataset", ["tiny-volume", "tiny-views"])
def test_studies_one_by_one_add_up_to_the_batchs_gradients(units: Units, dataset: str) -> None:
    trial = trial_of(units, dataset, auxiliary=WEIGHT)
    rows = torch.tensor([3, 0, 5])
    whole = gradients(trial, rows.tolist())
    trial.model.zero_grad(set_to_none=True)
    for place in range(3):
        trial.loss(Batch(0, rows[place : place + 1], torch.tensor([place]), rows)).backward()
    for name, parameter in trial.model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None
            assert torch.allclose(parameter.grad, whole[name], rtol=1e-3, atol=1e-6)


def test_it_runs_and_counts_what_its_decoder_computes(ran: Ran) -> None:
    (plain,), (pixels,) = (
        ran({"anymc3d": {"auxiliary": weight}}, recipe={"epochs": 1}) for weight in (0.0, WEIGHT)
    )
    decoder = sum(p.numel() for p in TokenDecoder(64, 1).parameters())
    trained = [outcome.cost["trainable_parameters"] for outcome in (plain, pixels)]
    assert trained == [trained[0], trained[0] + decoder]
    # Multiply-adds at 2 x 2 patches of 5 slices, 40 studies, forward and backward.
    each = 64 * 32 + 27 * 32 * 32 + 27 * 32
    further = 3 * 40 * 5 * 4 * 2 * each
    assert pixels.cost["flops"] - plain.cost["flops"] == pytest.approx(further, rel=0.01)


def test_it_is_refused_where_there_are_no_masks(units: Units) -> None:
    (unit,), _ = units({"anymc3d": {"auxiliary": WEIGHT}}, "tiny-bare")
    assert unit.needs == (
        "tiny-bare: options.auxiliary needs masks, and the dataset has none; leave it at 0",
    )
    (unit,), _ = units("anymc3d", "tiny-bare")
    assert not unit.needs


def test_a_backbone_that_is_known_to_be_no_vit_is_refused(units: Units) -> None:
    (unit,), _ = units("anymc3d", backbone="random-efficientnet-lite0")
    (need,) = unit.needs
    assert "no vision transformer, whose patch tokens `anymc3d` needs; leave it to" in need

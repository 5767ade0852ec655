"""A vision transformer of volumes: inflated from images, on any grid, through the registry."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from omnibench.architecture import architecture_of
from omnibench.cards import BackboneCard
from omnibench.catalogue import backbones
from omnibench.encoders import VolumeEncoder
from omnibench.encoders.build import load_encoder
from omnibench.encoders.pooling import pooled
from omnibench.encoders.timm_create import create_timm
from omnibench.encoders.volume_vit import VolumeViT, at_depth, inflate, inflated
from omnibench.errors import RequestError, WeightsError

SMALL: Any = {"width": 24, "depth": 2, "heads": 3, "patch": [2, 4, 8], "slices": 6}


def flat_vit() -> Any:
    torch.manual_seed(0)
    return timm.create_model("test_vit", num_classes=0, img_size=32).eval()


def test_of_equal_slices_an_inflated_kernel_gives_what_the_flat_one_gives_of_one() -> None:
    vit = flat_vit()
    volume_vit, arguments = inflate(vit, 32)
    assert arguments["patch"] == [16, 16, 16]
    pixels = torch.randn(2, 3, 32, 32)
    deep = volume_vit.patch_embed(pixels[:, :, None].expand(-1, -1, 32, -1, -1))
    flat = vit.patch_embed.proj(pixels).permute(0, 2, 3, 1)
    for layer in range(2):
        assert torch.allclose(deep[:, layer], flat, atol=1e-5)
    kernel = vit.patch_embed.proj.weight
    assert torch.allclose(inflated(kernel, 5).sum(2), kernel, atol=1e-6)


def test_every_other_weight_of_an_inflated_network_is_that_of_the_flat_one() -> None:
    vit = flat_vit()
    volume_vit, _ = inflate(vit, 16)
    state, own = volume_vit.state_dict(), vit.state_dict()
    assert own.keys() - state.keys() == {"pos_embed"}
    for name in state.keys() - {"patch_embed.proj.weight"}:
        assert torch.equal(state[name], own[name]), name


def test_what_has_other_parts_is_not_inflated() -> None:
    vit = timm.create_model("test_vit", num_classes=0, img_size=32, reg_tokens=2)
    with pytest.raises(ValueError, match="parts that a vision transformer of volumes has not"):
        inflate(vit, 32)
    with pytest.raises(ValueError, match="20 slices are no multiple"):
        inflate(flat_vit(), 20)


def test_a_network_on_a_grid_of_three_lengths_is_timms_block_by_block() -> None:
    torch.manual_seed(0)
    network = VolumeViT(**SMALL).eval()
    pixels = torch.randn(2, 3, 6, 16, 24)
    tokens = network(pixels)
    assert tokens.shape == (2, 1 + 3 * 4 * 3, 24)
    twin: Any = timm.create_model(
        "vit_tiny_patch16_224", embed_dim=24, depth=2, num_heads=3, num_classes=0, pos_embed="none"
    ).eval()
    own = {n: v for n, v in network.state_dict().items() if not n.startswith("patch_embed")}
    twin.load_state_dict(own, strict=False)
    blank = network._pos_embed(network.patch_embed(pixels))
    for block in twin.blocks:
        blank = block(blank)
    assert torch.allclose(tokens, twin.norm(blank), atol=1e-6)


def test_slices_are_averaged_where_there_are_more() -> None:
    volumes = torch.arange(8.0)[None, None, :, None, None].expand(1, 2, 8, 3, 5)
    halved = at_depth(volumes, 4)
    assert halved.shape == (1, 2, 4, 3, 5)
    middle = halved[0, 0, 1:3, 0, 0]
    assert torch.allclose(middle, torch.tensor([2.5, 4.5]), atol=1e-5)
    assert at_depth(volumes, 8) is volumes
    rough = at_depth(volumes.bfloat16(), 4)
    assert rough.dtype == torch.bfloat16
    assert torch.equal(rough, halved.bfloat16())


def test_the_random_control_embeds_volumes_of_any_number_of_slices(tmp_path: Path) -> None:
    card = backbones.get("random-vit3d-tiny")
    facts = architecture_of(card, tmp_path, tmp_path)
    assert facts is not None
    assert (facts.volumes, facts.width, facts.depth, facts.patch) == (True, 192, 12, 8)
    recipe = {"input_size": 16, "normalization": "backbone", "precision": "fp32"}
    loaded = load_encoder(card, recipe, "cpu", tmp_path, tmp_path)
    encoder = loaded.encoder
    assert isinstance(encoder, VolumeEncoder)
    volumes = torch.randint(0, 256, (2, 9, 20, 20), dtype=torch.uint8)
    embeddings = encoder.embed_volumes(volumes)
    assert embeddings.shape == (2, 192)
    slices = volumes[:, :1]
    assert torch.equal(encoder.embed(slices[:, 0]), encoder.embed_volumes(slices))
    with pytest.raises(RequestError, match="gives no maps of images"):
        encoder.maps(slices[:, 0], [1])
    both = card.model_copy(update={"pool": "cls+mean", "norm_after_pool": True})
    wide = load_encoder(both, recipe, "cpu", tmp_path, tmp_path).encoder
    assert isinstance(wide, VolumeEncoder)
    assert wide.embed_volumes(volumes).shape == (2, 384)
    assert wide.embed_volumes(volumes).mean(dim=1).abs().max() < 1e-5


@pytest.mark.parametrize(
    "changes",
    [{}, {"patch": [2, 2]}, {"slices": 7}, {"width": -1}, {"heads": 5}, {"depth": "x"}, {"x": 1}],
    ids=str,
)
def test_a_record_of_a_network_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    arguments = {**SMALL, **changes} if changes else {}
    with pytest.raises(WeightsError, match=r"record\.json: vit3d cannot be made"):
        create_timm("vit3d", arguments, "record.json")


def image_encoder(tmp_path: Path, **card: Any) -> Any:
    own = BackboneCard(id="own", source="random:test_vit", **card)
    recipe = {"input_size": 32, "normalization": "backbone", "precision": "fp32"}
    return load_encoder(own, recipe, "cpu", tmp_path, tmp_path).encoder


def test_pooled_by_both_is_class_token_and_mean_side_by_side(tmp_path: Path) -> None:
    images = torch.randint(0, 256, (2, 32, 32), dtype=torch.uint8)
    token, mean, both = (
        image_encoder(tmp_path, pool=pool).embed(images) for pool in ("cls", "mean", "cls+mean")
    )
    assert torch.equal(both, torch.cat([token, mean], dim=1))
    with pytest.raises(ValueError, match="not by 'max'"):
        pooled(token[:, None], mean[:, None], "max")


@pytest.mark.parametrize("pool", ["cls", "mean", "cls+mean"])
def test_a_norm_after_pooling_stands_in_the_place_of_the_final_one(
    tmp_path: Path, pool: str
) -> None:
    images = torch.randint(0, 256, (2, 32, 32), dtype=torch.uint8)
    encoder = image_encoder(tmp_path, pool=pool, norm_after_pool=True)
    vit = encoder.module
    tokens = vit._pos_embed(vit.patch_embed(encoder.preprocess(images)))
    for block in vit.blocks:
        tokens = block(tokens)
    parts = {"cls": tokens[:, 0], "mean": tokens[:, 1:].mean(dim=1)}
    expected = torch.cat([parts[name] for name in pool.split("+")], dim=1).double()
    expected -= expected.mean(dim=1, keepdim=True)
    expected /= (expected.var(dim=1, correction=0, keepdim=True) + 1e-6).sqrt()
    assert torch.allclose(encoder.embed(images).double(), expected, atol=1e-5)

from typing import Any

import pytest
import timm
import torch

from omnibench.cards import BackboneCard
from omnibench.encoders.levels import Levels, levels_of
from omnibench.encoders.preprocess import Preprocess
from omnibench.encoders.timm_encoder import TimmEncoder, fit_input_size
from omnibench.errors import RequestError

# One small stand-in for each family's architecture: same code path, few blocks.
SMALL: dict[str, Any] = {"depth": 2, "embed_dim": 48, "num_heads": 3}
FAMILIES = {
    "vit": ("vit_tiny_patch16_224", 16, 1),
    "dinov2": ("vit_small_patch14_dinov2", 14, 1),
    "dinov2 with registers": ("vit_small_patch14_reg4_dinov2", 14, 5),
    "dinov3": ("vit_small_patch16_dinov3_qkvb", 16, 5),
    "clip": ("vit_base_patch16_clip_224", 16, 1),
}
IMAGES = torch.randint(
    0, 256, (2, 40, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
)


def encoder(name: str, size: int, pool: str = "cls") -> TimmEncoder:
    torch.manual_seed(0)
    module = timm.create_model(name, num_classes=0, **SMALL).eval()
    fit_input_size(module, size, name)
    prepare = Preprocess(size, (0.5,) * 3, (0.5,) * 3, torch.device("cpu"), torch.float32)
    return TimmEncoder(module, prepare, pool)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("patches", [4, 7])
@torch.inference_mode()
def test_tokens_maps_and_pooling_agree_at_any_size(family: str, patches: int) -> None:
    name, patch, prefix_tokens = FAMILIES[family]
    model = encoder(name, patches * patch)
    prefix, tokens = model.tokens(IMAGES)
    assert prefix.shape == (2, prefix_tokens, 48)
    assert tokens.shape == (2, patches, patches, 48)
    first, last = model.maps(IMAGES, [0, 1])
    assert first.shape == last.shape == (2, 48, patches, patches)
    # The last block's map through the final norm is the full forward: nothing (RoPE, registers,
    # CLIP's norm before the blocks) was lost on the way.
    assert torch.allclose(model.module.norm(last.permute(0, 2, 3, 1)), tokens, atol=1e-5)
    assert torch.equal(model.embed(IMAGES), prefix[:, 0])
    mean = TimmEncoder(model.module, model.preprocess, "mean").embed(IMAGES)
    assert torch.allclose(mean, tokens.mean(dim=(1, 2)), atol=1e-5)


@torch.inference_mode()
def test_the_first_map_is_the_first_blocks_output() -> None:
    model = encoder("vit_base_patch16_clip_224", 64)
    kept = []
    model.module.blocks[0].register_forward_hook(lambda *args: kept.append(args[-1]))
    (first,) = model.maps(IMAGES, [0])
    assert torch.equal(first.flatten(2).transpose(1, 2), kept[0][:, 1:])


@torch.inference_mode()
def test_unfused_attention_changes_nothing_but_rounding() -> None:
    model = encoder("vit_tiny_patch16_224", 64)
    assert not any(getattr(m, "fused_attn", False) for m in model.module.modules())
    unfused = model.embed(IMAGES)
    for part in model.module.modules():
        if hasattr(part, "fused_attn"):
            part.fused_attn = True
    assert torch.allclose(model.embed(IMAGES), unfused, atol=1e-5)


@torch.inference_mode()
def test_a_cnn_gives_its_strides_and_the_mean_of_its_last_map() -> None:
    module = timm.create_model("resnet10t", num_classes=0).eval()
    prepare = Preprocess(64, (0.5,) * 3, (0.5,) * 3, torch.device("cpu"), torch.float32)
    model = TimmEncoder(module, prepare, "mean")
    maps = model.maps(IMAGES, [8, 16, 32])
    assert [m.shape[2] for m in maps] == [8, 4, 2]
    prefix, patches = model.tokens(IMAGES)
    assert prefix.shape == (2, 0, 512)
    assert torch.allclose(model.embed(IMAGES), module(prepare(IMAGES)), atol=1e-5)
    assert torch.allclose(maps[-1].permute(0, 2, 3, 1), patches)
    with pytest.raises(RequestError, match="no map of stride 64"):
        model.maps(IMAGES, [64])


def test_a_size_the_patch_does_not_divide_is_refused_with_the_nearest() -> None:
    module = timm.create_model("vit_small_patch14_dinov2", num_classes=0, **SMALL)
    with pytest.raises(
        RequestError, match="225 is not a multiple of its patch size 14; use 224 or"
    ):
        fit_input_size(module, 225, "x")


def headless(name: str, size: int = 224, pool: str | None = None, **options: Any) -> TimmEncoder:
    torch.manual_seed(0)
    module = timm.create_model(name, num_classes=0, **options).eval()
    fit_input_size(module, size, name)
    prepare = Preprocess(size, (0.5,) * 3, (0.5,) * 3, torch.device("cpu"), torch.float32)
    return TimmEncoder(module, prepare, pool)


@pytest.mark.parametrize(
    ("name", "size", "options"),
    [
        ("test_mambaout", 96, {}),  # maps [B, h, w, D]
        ("swin_tiny_patch4_window7_224", 256, {"embed_dim": 24, "depths": (1, 1, 2, 1)}),
        ("mvitv2_tiny", 224, {}),  # [B, N, D]
        ("lambda_resnet26rpt_256", 256, {}),  # parameters of five axes
    ],
)
@torch.inference_mode()
def test_a_hierarchical_model_gives_strides_and_the_mean_of_its_last_map(
    name: str, size: int, options: Any
) -> None:
    model = headless(name, size, **options)
    assert (model.is_vit, model.depth, model.pool) == (False, None, "mean")
    maps = model.maps(IMAGES, [8, 16, 32])
    assert [level.shape[2:] for level in maps] == [(size // s, size // s) for s in (8, 16, 32)]
    prefix, patches = model.tokens(IMAGES)
    assert prefix.shape == (2, 0, model.width)
    assert patches.shape == (2, size // 32, size // 32, model.width)
    features = model.module.forward_features(model.preprocess(IMAGES))
    first = features.ndim == 4 and features.shape[1] == model.width
    mean = features.mean(dim=(2, 3)) if first else features.flatten(1, -2).mean(dim=1)
    assert torch.allclose(model.embed(IMAGES), mean, atol=1e-5)


@torch.inference_mode()
def test_without_a_class_token_the_patches_are_averaged() -> None:
    registers = headless("vit_medium_patch16_reg4_gap_256", 64, **SMALL)
    prefix, patches = registers.tokens(IMAGES)
    assert (prefix.shape[1], registers.pool) == (4, "mean")
    assert torch.allclose(registers.embed(IMAGES), patches.mean(dim=(1, 2)), atol=1e-6)
    with pytest.raises(RequestError, match="no class token; set pool='mean'"):
        headless("vit_base_patch16_siglip_224", 64, pool="cls", **SMALL)


@torch.inference_mode()
def test_features_of_several_tensors_are_pooled_as_timm_pools_them() -> None:
    model = headless("efficientvim_m1", 64)
    assert torch.equal(model.embed(IMAGES), model.module(model.preprocess(IMAGES)))
    prefix, patches = model.tokens(IMAGES)
    (last,) = model.maps(IMAGES, [64])
    assert (prefix.shape[1], patches.shape[1:3]) == (0, (1, 1))
    assert torch.equal(patches, last.permute(0, 2, 3, 1))


@torch.inference_mode()
def test_a_model_that_ends_in_its_class_token_gives_the_positions_of_its_last_map() -> None:
    model = headless("pit_ti_224")
    prefix, patches = model.tokens(IMAGES)
    (last,) = model.maps(IMAGES, [32])
    assert torch.equal(model.embed(IMAGES), prefix[:, 0])
    assert torch.equal(patches, last.permute(0, 2, 3, 1))
    mean = TimmEncoder(model.module, model.preprocess, "mean").embed(IMAGES)
    assert torch.allclose(mean, patches.mean(dim=(1, 2)), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "size", "layers", "sides"),
    [
        ("levit_128s", 224, (16, 32, 64), [14, 7, 4]),
        ("nest_tiny", 224, (4, 8, 16), [56, 28, 14]),
        ("volo_d1_224", 224, (8, 16, 16), [28, 14, 14]),
        ("qwen3_vit_88m_merge", 64, (3, 7, 11), [4, 4, 4]),
    ],
)
@torch.inference_mode()
def test_without_the_usual_strides_the_coarsest_maps_are_taken(
    name: str, size: int, layers: tuple[int, int, int], sides: list[int]
) -> None:
    narrow: Any = {"embed_dim": 48, "num_heads": 3} if "qwen" in name else {}
    model = headless(name, size, **narrow)
    levels = levels_of(model, BackboneCard(id="x", source=f"random:{name}"))
    assert levels == Levels(layers, tokens="qwen" in name)
    maps = model.maps(IMAGES, levels.layers)
    assert [level.shape[2] for level in maps] == sides
    assert [level.shape[3] for level in maps] == sides
    assert model.tokens(IMAGES)[1].ndim == 4


@torch.inference_mode()
def test_an_absent_ability_is_named() -> None:
    levit, branches = headless("levit_128s"), headless("crossvit_tiny_240", 240)
    with pytest.raises(RequestError, match="no map of stride 8; it has those of 16, 32, 64"):
        levit.maps(IMAGES, [8, 16, 32])
    for use in (branches.tokens, lambda images: branches.maps(images, [12])):
        with pytest.raises(RequestError, match="one vector an image, no maps and no tokens"):
            use(IMAGES)
    assert branches.embed(IMAGES).shape == (2, 288)
    with pytest.raises(RequestError, match="cannot take images of 96 px; set input_size: 224"):
        headless("levit_128s", 96).embed(IMAGES)

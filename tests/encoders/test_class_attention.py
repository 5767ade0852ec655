"""What the class token attends to, against queries and keys multiplied by hand."""

from typing import Any

import pytest
import timm
import torch
from transformers import ViTConfig, ViTModel

from omnibench.cards import BackboneCard
from omnibench.encoders.class_attention import class_attention
from omnibench.encoders.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from omnibench.encoders.timm_encoder import TimmEncoder
from omnibench.encoders.transformers_encoder import TransformersEncoder

SIZE = 48
PREPARE = Preprocess(SIZE, IMAGENET_MEAN, IMAGENET_STD, torch.device("cpu"), torch.float32)


@pytest.fixture
def pixels() -> torch.Tensor:
    return torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def by_hand(query: torch.Tensor, key: torch.Tensor, heads: int, prefix: int) -> torch.Tensor:
    """Return the class token's shares [B, h, w], of queries and keys [B, N, D]."""
    q, k = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key))
    shares = torch.einsum("bhd,bhnd->bhn", q[:, :, 0], k)
    shares = (shares / q.shape[-1] ** 0.5).softmax(-1)[..., prefix:]
    heat: torch.Tensor = shares.mean(1).reshape(-1, 3, 3)
    return heat


@pytest.mark.parametrize("name", ["test_vit", "vit_tiny_patch16_224"])
@pytest.mark.parametrize("fused", [True, False])
def test_of_timm_it_is_the_softmax_of_queries_and_keys(
    pixels: torch.Tensor, name: str, fused: bool
) -> None:
    torch.manual_seed(0)
    module: Any = timm.create_model(name, num_classes=0, img_size=SIZE, depth=2).eval()
    encoder = TimmEncoder(module, PREPARE)
    last, seen = module.blocks[-1].attn, list[torch.Tensor]()
    last.fused_attn = fused
    hook = last.qkv.register_forward_hook(lambda *given: seen.append(given[-1]))
    expected = encoder.pooled(pixels)
    hook.remove()
    query, key, _ = seen[0].chunk(3, dim=-1)
    heat = class_attention(encoder, pixels)
    assert heat is not None
    assert torch.allclose(heat, by_hand(query, key, last.num_heads, 1), atol=1e-6)
    assert last.fused_attn == fused
    assert torch.equal(encoder.pooled(pixels), expected)


def test_of_transformers_it_is_the_softmax_of_queries_and_keys(pixels: torch.Tensor) -> None:
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=48, num_hidden_layers=2, num_attention_heads=3, intermediate_size=96,
        image_size=SIZE, patch_size=16,
    )  # fmt: skip
    module: Any = ViTModel(config, add_pooling_layer=False).eval()
    encoder = TransformersEncoder(
        module, PREPARE, BackboneCard(id="b", source="transformers:x"), "cls"
    )
    seen: dict[str, torch.Tensor] = {}
    names = {
        n: m
        for n, m in module.named_modules()
        if n.endswith((".query", ".key", "q_proj", "k_proj"))
    }
    for name, layer in names.items():
        layer.register_forward_hook(lambda *given, name=name: seen.update({name: given[-1]}))
    heat = class_attention(encoder, pixels)
    query, key = list(seen.values())[-2:]
    assert heat is not None
    assert torch.allclose(heat, by_hand(query, key, 3, 1), atol=1e-6)
    assert module.config._attn_implementation == "sdpa"


def test_rotary_positions_and_registers_take_part(pixels: torch.Tensor) -> None:
    module: Any = timm.create_model(
        "vit_small_patch16_dinov3_qkvb",
        num_classes=0,
        img_size=SIZE,
        embed_dim=48,
        depth=2,
        num_heads=3,
    ).eval()
    encoder = TimmEncoder(module, PREPARE)
    heat = class_attention(encoder, pixels)
    assert heat is not None
    assert heat.shape == (2, 3, 3)
    assert encoder.prefix_tokens == 5
    assert (heat.sum((1, 2)) < 1).all()


@pytest.mark.parametrize("name", ["test_efficientnet", "vit_base_patch16_siglip_224"])
def test_a_backbone_without_a_class_token_has_none(pixels: torch.Tensor, name: str) -> None:
    further: dict[str, Any] = (
        {}
        if "efficient" in name
        else {"img_size": SIZE, "embed_dim": 48, "depth": 1, "num_heads": 3}
    )
    module: Any = timm.create_model(name, num_classes=0, **further).eval()
    assert class_attention(TimmEncoder(module, PREPARE), pixels) is None

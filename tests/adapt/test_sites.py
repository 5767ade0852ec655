"""Which layers `lora` is put on by its option `sites`, and how many parameters that makes."""

from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
import transformers
from torch import nn

from omnibench.adapt.low_rank import add_lora
from omnibench.adapt.sites import _attention, targets
from omnibench.architecture.layers import may_attend, may_begin_with_patches
from omnibench.cards import BackboneCard
from omnibench.catalogue import backbones
from omnibench.errors import RequestError

WIDTH = 48
SMALL = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 3}


def image(size: int, device: str = "cpu") -> torch.Tensor:
    return torch.zeros(1, 3, size, size, device=device)


def forward(module: Any, size: int, device: str = "cpu") -> Callable[[], torch.Tensor]:
    """One forward up to the pooling, as an encoder runs it."""
    return lambda: module.forward_features(image(size, device))


def trained(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("name", "further", "expected"),
    [
        # 24 blocks of r (d + 3 d) + r (d + d), and r (3 p p + d); with a query d and a head d + 1.
        ("vit_large_patch16_224", 1024 + 1025, 1_196_033),  # AnyMC3D's published 1.20 M
        ("vit_base_patch14_dinov2", 768 + 18 * 769, 467_826),  # of 18 findings
    ],
)
def test_attention_and_patch_embedding_have_the_published_number_of_parameters(
    name: str, further: int, expected: int
) -> None:
    with torch.device("meta"):
        module: Any = timm.create_model(name, num_classes=0, img_size=224)
    add_lora(module, forward(module, 224, "meta"), 8, 16, 0.0, "attention+patch")
    assert trained(module) + further == expected


@pytest.mark.parametrize(
    ("name", "size", "split"),
    [
        ("vit_tiny_patch16_224", 32, False),
        ("vit_small_patch16_dinov3_qkvb", 32, False),
        ("eva02_base_patch14_224", 28, True),
        ("beit_base_patch16_224", 32, False),
        ("vit_base_patch16_clip_224", 32, False),
    ],
)
def test_attention_of_timm_is_its_projections_fused_or_split(
    name: str, size: int, split: bool
) -> None:
    module: Any = timm.create_model(
        name, num_classes=0, img_size=size, embed_dim=WIDTH, depth=2, num_heads=3
    )
    run = forward(module, size)
    names = ["q_proj", "k_proj", "v_proj", "proj"] if split else ["qkv", "proj"]
    layers = [f"blocks.{block}.attn.{name}" for block in range(2) for name in names]
    assert sorted(targets(module, run, "attention")) == sorted(layers)
    assert set(targets(module, run, "attention+patch")) == {"patch_embed.proj", *layers}
    add_lora(module, run, 4, 4, 0.0, "attention")
    each = 4 * 4 * 2 * WIDTH if split else 4 * (4 + 2) * WIDTH
    assert trained(module) == 2 * each


def test_attention_of_swin_leaves_out_what_is_no_projection() -> None:
    module: Any = timm.create_model(
        "swinv2_tiny_window8_256", num_classes=0, img_size=64, depths=(1, 1), embed_dim=WIDTH,
        num_heads=(3, 3), window_size=4,
    )  # fmt: skip
    names = targets(module, forward(module, 64), "attention+patch")
    owners = ("layers.0.blocks.0.attn", "layers.1.blocks.0.attn")
    layers = {f"{owner}.{name}" for owner in owners for name in ("qkv", "proj")}
    assert set(names) == layers | {"patch_embed.proj"}


@pytest.mark.parametrize("kind", ["ViT", "Dinov2", "Swinv2"])
def test_attention_of_transformers_is_its_projections_nested_or_not(kind: str) -> None:
    options: dict[str, Any] = {"image_size": 32, "patch_size": 8}
    options |= (
        {"embed_dim": WIDTH, "depths": [1, 1], "num_heads": [3, 3], "window_size": 2}
        if kind == "Swinv2"
        else {**SMALL, "intermediate_size": 96}
    )
    module: Any = getattr(transformers, f"{kind}Model")(
        getattr(transformers, f"{kind}Config")(**options)
    )

    def run() -> torch.Tensor:
        hidden: torch.Tensor = module(image(32)).last_hidden_state
        return hidden

    layers = targets(module, run, "attention")
    assert len(layers) == 2 * 4
    assert all(".attention." in name for name in layers)
    assert not any("mlp" in name or "bias" in name for name in layers)
    widths = {layer.weight.shape[0] for layer in layers.values()}
    assert widths == ({WIDTH, 2 * WIDTH} if kind == "Swinv2" else {WIDTH})
    patch = next(iter(targets(module, run, "attention+patch")))
    assert patch == "embeddings.patch_embeddings.projection"


def test_a_network_without_attention_or_without_patches_is_refused() -> None:
    cnn: Any = timm.create_model("test_efficientnet", num_classes=0)
    with pytest.raises(RequestError, match="EfficientNet has no linear layers in attention mod"):
        targets(cnn, forward(cnn, 64), "attention")
    stem: Any = timm.create_model("xcit_nano_12_p16_224", num_classes=0, img_size=32, depth=1)
    with pytest.raises(RequestError, match="does not begin with one convolution of patches"):
        targets(stem, forward(stem, 32), "attention+patch")


@pytest.mark.parametrize(
    "name",
    [
        *("test_efficientnet", "resnet18", "convnext_atto", "mixer_s32_224", "levit_128s"),
        *("fastvit_t8", "fastvit_sa12", "test_maxvit", "caformer_s18", "pit_ti_224", "mvitv2_tiny"),
        *("coat_tiny", "coatnet_pico_rw_224", "efficientformer_l1", "efficientformerv2_s0"),
    ],
)
def test_a_name_tells_the_plan_whether_a_network_has_attention(name: str) -> None:
    with torch.device("meta"):
        network = timm.create_model(name, num_classes=0)
    card = BackboneCard(id="x", source=f"random:{name}@3")
    assert may_attend(card) == any(True for _ in _attention(network))
    first: Any = next(m for m in network.modules() if isinstance(m, nn.Conv2d) and m.groups == 1)
    patches = may_attend(card) and first.stride == first.kernel_size
    assert may_begin_with_patches(card) == patches
    assert may_attend(card.model_copy(update={"source": "file:w.pth", "architecture": name})) == (
        may_attend(card)
    )


def test_a_network_that_no_name_tells_of_may_have_attention() -> None:
    sources = ("hf_hub:me/mine", "mine:network", "random:vit3d-tiny")
    assert all(may_attend(BackboneCard(id="x", source=source)) for source in sources)
    assert not may_attend(backbones.get("efficientnet-lite0"))


def test_the_first_forward_is_unchanged_and_everything_trained_gets_a_gradient() -> None:
    module: Any = timm.create_model(
        "vit_tiny_patch16_224", num_classes=0, img_size=32, embed_dim=WIDTH, depth=2, num_heads=3
    ).eval()
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    before = module(pixels).detach()
    add_lora(module, forward(module, 32), 4, 8, 0.0, "attention+patch")
    assert torch.allclose(module(pixels), before, atol=1e-6)
    module(pixels).square().sum().backward()
    parts = {n: p for n, p in module.named_parameters() if p.requires_grad}
    assert any("patch_embed" in name for name in parts)
    assert all(p.grad is not None for p in parts.values())

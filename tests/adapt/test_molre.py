"""MoLRE put on an encoder: its parameters, its bits beside LoRA's, and what it stores."""

from collections.abc import Mapping
from typing import Any

import pytest
import timm
import torch

from omnibench.adapt.trainable import Trainable, attach
from omnibench.catalogue import tasks
from omnibench.encoders.preprocess import Preprocess
from omnibench.encoders.timm_encoder import TimmEncoder
from omnibench.errors import RequestError

WIDTH, DEPTH, R = 48, 2, 4
PIXELS = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def attached(name: str, model: str = "vit_tiny_patch16_224", **given: Any) -> Trainable:
    torch.manual_seed(0)
    size: dict[str, Any] = {"embed_dim": WIDTH, "depth": DEPTH, "num_heads": 3, "img_size": 32}
    further = size if "vit" in model else {}
    module: Any = timm.create_model(model, num_classes=0, **further)
    prepare = Preprocess(32, (0.5,) * 3, (0.5,) * 3, torch.device("cpu"), torch.float32)
    encoder = TimmEncoder(module.eval().requires_grad_(False), prepare, "mean")
    adaptation = tasks.get("classification").adaptations[name]
    options = adaptation.resolve_options(given, "test")
    torch.manual_seed(1)
    return attach(adaptation.under(options), encoder, options)


def trained(trainable: Trainable) -> Mapping[str, torch.Tensor]:
    """Return what a few steps of AdamW make of what is trained on the embedding."""
    parts = dict(trainable.on_embedding.named_parameters())
    optimiser = torch.optim.AdamW(parts.values(), lr=1e-2)
    trainable.train()
    for _ in range(5):
        optimiser.zero_grad()
        trainable.embed(PIXELS).square().sum().backward()
        optimiser.step()
    return {name: part.detach() for name, part in parts.items()}


@pytest.mark.parametrize("router", ["soft", "uniform", "none"])
def test_one_expert_is_lora_on_the_embedding_bit_for_bit(router: str) -> None:
    lora = attached("lora", r=R, alpha=8, dropout=0.0, sites="embedding")
    molre = attached("molre", experts=1, r=R, alpha=8, router=router)
    first, second = trained(lora), trained(molre)
    assert first["up"].any()
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert torch.equal(lora.embed(PIXELS), molre.embed(PIXELS))


def test_the_embedding_is_unchanged_at_first_and_its_routing_is_stored() -> None:
    molre = attached("molre", experts=3, r=R)
    plain = attached("head").embed(PIXELS)
    assert torch.equal(molre.embed(PIXELS), plain)
    routing = molre.stored(plain)["routing"]
    assert routing.shape == (4, 3)
    assert torch.allclose(routing.sum(1), torch.ones(4), atol=1e-6)
    assert not attached("molre", router="uniform").stored(plain)


def test_experts_in_every_block_route_each_token_and_train_through_the_backbone() -> None:
    molre = attached("molre", experts=3, r=R, site="blocks", hidden=0.5)
    parts = [p for p in molre.module.parameters() if p.requires_grad]
    router = WIDTH * 24 + 24 + 24 * 3 + 3
    assert sum(p.numel() for p in parts) == DEPTH * (3 * R * 6 * WIDTH + 2 * router)
    assert torch.allclose(molre.embed(PIXELS), attached("head").embed(PIXELS), atol=1e-6)
    for name, part in molre.module.named_parameters():
        if name.endswith(".up"):  # without which the routers have no gradient
            part.data.normal_(std=0.1, generator=torch.Generator().manual_seed(2))
    molre.embed(PIXELS).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in parts)


def test_ranks_and_networks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(RequestError, match="rank 49 is larger than the embedding allows"):
        attached("molre", r=49)
    with pytest.raises(RequestError, match=r"larger than the layer 'blocks.0.attn.qkv' allows"):
        attached("molre", r=49, site="blocks")
    with pytest.raises(RequestError, match="has no linear layers in attention modules"):
        attached("molre", "test_efficientnet", site="blocks")

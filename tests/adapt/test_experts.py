"""Low-rank experts against LoRA by peft, one LoRA of a higher rank, and closed forms."""

from typing import Any

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn

from omnibench.adapt.experts import LowRankExperts

WIDTH, R, K = 24, 4, 3
VECTORS = torch.randn(10, WIDTH, generator=torch.Generator().manual_seed(1))


def experts(count: int = K, router: Any = "soft", **further: Any) -> LowRankExperts:
    """Experts as they are after some training: B is not zero."""
    torch.manual_seed(0)
    module = LowRankExperts(
        nn.Identity(), WIDTH, WIDTH, further.pop("r", R), 8, count, router, **further
    )
    generator = torch.Generator().manual_seed(2)
    module.up.data.normal_(generator=generator)
    return module


def test_one_expert_is_the_lora_of_peft_on_an_identity() -> None:
    module = experts(1, "none", dropout=0.5).eval()
    identity = nn.Linear(WIDTH, WIDTH, bias=False)
    nn.init.eye_(identity.weight)
    linear = nn.Sequential(identity)
    config: Any = LoraConfig(r=R, lora_alpha=8, target_modules=["0"])
    inject_adapter_in_model(config, linear)
    (first,) = linear
    lora: Any = first
    lora.lora_A["default"].weight.data = module.down.data
    lora.lora_B["default"].weight.data = module.up.data
    assert torch.allclose(module(VECTORS), linear(VECTORS), atol=1e-6)


def test_a_soft_router_over_one_expert_changes_no_bit() -> None:
    assert torch.equal(experts(1, "soft")(VECTORS), experts(1, "none")(VECTORS))


def test_routed_experts_equal_their_sum_written_out() -> None:
    module = experts()
    weights = module.routing(VECTORS)
    assert weights is not None
    assert torch.allclose(weights.sum(-1), torch.ones(10), atol=1e-6)
    expected = VECTORS.clone()
    for i in range(K):
        a, b = module.down[i * R : (i + 1) * R], module.up[:, i * R : (i + 1) * R]
        expected = expected + weights[:, i : i + 1] * (8 / R) * VECTORS @ a.T @ b.T
    assert torch.allclose(module(VECTORS), expected, atol=1e-5)
    tokens = VECTORS.view(2, 5, WIDTH)  # each routed by itself
    assert torch.allclose(module(tokens), module(VECTORS).view(2, 5, WIDTH), atol=1e-6)


def test_a_uniform_router_equals_one_lora_of_rank_k_r() -> None:
    module, single = experts(K, "uniform"), experts(1, "none", r=K * R)
    single.down.data, single.up.data = module.down.data, module.up.data / K
    single.scale = 8 / R
    assert torch.allclose(module(VECTORS), single(VECTORS), atol=1e-5)
    assert torch.allclose(
        experts(K, "none")(VECTORS) - VECTORS, K * (module(VECTORS) - VECTORS), atol=1e-4
    )


def test_experts_permuted_with_their_routers_columns_give_the_same() -> None:
    module, order = experts(), torch.tensor([2, 0, 1])
    before = module(VECTORS)
    module.down.data = module.down.view(K, R, WIDTH)[order].flatten(0, 1)
    module.up.data = module.up.view(WIDTH, K, R)[:, order].flatten(1)
    assert module.router is not None
    last: Any = module.router.get_submodule("2")
    last.weight.data, last.bias.data = last.weight[order], last.bias[order]
    assert torch.allclose(module(VECTORS), before, atol=1e-5)


def test_at_first_the_base_is_unchanged_and_the_router_has_no_gradient() -> None:
    module = experts()
    module.up.data.zero_()
    output = module(VECTORS)
    assert torch.equal(output, VECTORS)
    output.square().sum().backward()
    assert module.router is not None
    assert all(p.grad is not None and not p.grad.any() for p in module.router.parameters())
    assert module.up.grad is not None
    assert module.up.grad.any()


@pytest.mark.parametrize("router", ["soft", "uniform"])
def test_the_parameters_are_those_of_the_closed_form(router: Any) -> None:
    module = LowRankExperts(nn.Identity(), 768, 768, 8, 8, 6, router)
    total = sum(p.numel() for p in module.parameters())
    of_router = 768 * 192 + 192 + 192 * 6 + 6  # 148,806
    assert total == 6 * 8 * 2 * 768 + (of_router if router == "soft" else 0)
    assert round(100 * (73_728 + of_router) / 85_798_656, 2) == 0.26  # percent of a ViT-B/16


def test_soft_routing_fits_two_groups_of_opposite_updates_better_than_one_lora() -> None:
    """Targets are x + u (v x), or x - u (v x) where the first coordinate is negative."""
    generator = torch.Generator().manual_seed(0)
    draws = torch.randn(2 * 256 + 2, WIDTH, generator=generator)
    direction, read = draws[0], draws[1] / WIDTH**0.5
    read[0] = 0
    vectors = draws[2:]
    vectors[:, 0] = 3 * vectors[:, 0].sign()
    update = (vectors @ read)[:, None] * direction * vectors[:, :1].sign()
    train, test = slice(0, 256), slice(256, None)

    def error(module: LowRankExperts) -> float:
        nn.init.zeros_(module.up)
        optimiser = torch.optim.AdamW(module.parameters(), lr=1e-2)
        for _ in range(400):
            optimiser.zero_grad()
            (module(vectors[train]) - vectors[train] - update[train]).square().mean().backward()
            optimiser.step()
        left = (module(vectors[test]) - vectors[test] - update[test]).detach().square().mean()
        return float(left / update[test].square().mean())

    soft, single = error(experts(2, "soft", r=2)), error(experts(1, "none", r=4))
    assert single > 0.9  # a linear map does nothing for updates whose mean is zero
    assert soft < 0.1

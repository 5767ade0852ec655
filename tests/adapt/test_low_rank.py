import copy
from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
from torch import nn

from omnibench.adapt.low_rank import add_lora, train_lora
from omnibench.adapt.sites import targets
from omnibench.encoders.timm_encoder import fit_input_size
from omnibench.errors import RequestError

PIXELS = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
IMAGE = PIXELS[:1]
SMALL = {"embed_dim": 48, "depth": 2, "num_heads": 3}


def features(module: Any) -> Callable[..., Any]:
    """One forward up to the pooling, as an encoder runs it."""
    return lambda: module.forward_features(IMAGE)


def put(module: "Attending | nn.Module", *options: Any) -> None:
    add_lora(module, features(module), *options)


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "tf_efficientnet_lite0"])
@pytest.mark.parametrize("r", [4, "full"])
def test_the_first_forward_is_unchanged_at_any_rank(name: str, r: int | str) -> None:
    options: dict[str, Any] = {"img_size": 64} if "vit" in name else {}
    module = timm.create_model(name, num_classes=0, **options).eval()
    layers = targets(module, features(module))
    smallest = min(min(m.weight.shape[0], m.weight[0].numel()) for m in layers.values())
    with torch.no_grad():
        before = module(PIXELS)
        put(module, smallest if r == "full" else r, 16, 0.0)
        module.eval()
        assert torch.allclose(module(PIXELS), before, atol=1e-6)


def test_every_linear_layer_of_a_vit_and_every_ungrouped_convolution_of_a_cnn() -> None:
    vit = timm.create_model("vit_tiny_patch16_224", num_classes=0, img_size=64)
    assert len(targets(vit, features(vit))) == 12 * 4
    put(vit, 8, 16, 0.1)
    trained = [p for p in vit.parameters() if p.requires_grad]
    # r (in + out) for qkv, proj, fc1, fc2 of each block.
    assert sum(p.numel() for p in trained) == 12 * 8 * (192 * 4 + 192 * 2 + 192 * 5 + 192 * 5)
    cnn = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    layers = targets(cnn, features(cnn))
    assert len(layers) == 33
    assert all(m.groups == 1 for m in layers.values())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("vit_base_patch16_siglip_224", SMALL),  # a pooling head that is not used
        ("eva02_tiny_patch14_224", SMALL),
        ("beit_base_patch16_224", SMALL),
        ("vit_small_patch16_dinov3_qkvb", SMALL),
        ("mobilenetv3_small_050", {}),  # a convolution behind the features
        ("efficientvit_b0", {}),  # linear layers in the head alone
    ],
)
def test_everything_that_lora_trains_gets_a_gradient(name: str, options: Any) -> None:
    module: Any = timm.create_model(name, num_classes=0, **options).eval()
    fit_input_size(module, 56 if "patch14" in name else 64, name)
    image = IMAGE[..., :56, :56] if "patch14" in name else IMAGE

    def run() -> torch.Tensor:
        result: torch.Tensor = module.forward_features(image)
        return result

    before = run().detach()
    add_lora(module, run, 2, 4, 0.0)
    assert torch.allclose(run(), before, atol=1e-5)
    run().square().sum().backward()
    trained = {n: p for n, p in module.named_parameters() if p.requires_grad}
    assert trained
    assert [n for n, p in trained.items() if p.grad is None] == []
    if options:
        assert any(".qkv." in n for n in trained)


class Attending(nn.Module):
    """Attention as torch's own, whose output projection is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(3, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward_features(self, pixels: torch.Tensor) -> torch.Tensor:
        tokens = self.embed(pixels.flatten(2).transpose(1, 2)[:, :16])
        result: torch.Tensor = self.attention(tokens, tokens, tokens)[0]
        return result


def test_a_layer_whose_weight_is_used_past_its_forward_is_refused_by_name() -> None:
    module = Attending().eval()
    state = copy.deepcopy(module.state_dict())
    torch.manual_seed(0)
    drawn = torch.get_rng_state()
    with pytest.raises(RequestError, match=r"does not reach 'attention\.out_proj' of Attending"):
        put(module, 2, 4, 0.0)
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    assert torch.equal(torch.get_rng_state(), drawn)
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_the_look_for_layers_draws_nothing() -> None:
    class Dropping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(64, 4)

        def forward_features(self, pixels: torch.Tensor) -> torch.Tensor:
            return nn.functional.dropout(self.layer(pixels), 0.5)

    module = Dropping()
    drawn = torch.get_rng_state()
    assert list(targets(module, features(module))) == ["layer"]
    assert torch.equal(torch.get_rng_state(), drawn)


def test_only_loras_dropout_is_in_training_mode() -> None:
    module = timm.create_model("tf_efficientnet_lite0", num_classes=0, drop_path_rate=0.2).eval()
    put(module, 2, 4, 0.5)
    train_lora(module)
    training = [name for name, part in module.named_modules() if part.training]
    assert training
    assert all("lora_dropout" in name for name in training)


def test_a_rank_beyond_a_layer_and_a_module_without_layers_are_refused() -> None:
    def run(m: nn.Module) -> Callable[[], Any]:
        return lambda: m(torch.zeros(1, 8))

    module = nn.Sequential(nn.Linear(8, 3))
    with pytest.raises(RequestError, match="rank 4 is larger than the layer '0' allows; use at m"):
        add_lora(module, run(module), 4, 4, 0.0)
    add_lora(module, run(module), 3, 4, 0.0)
    module = nn.Sequential(nn.GELU())
    with pytest.raises(RequestError, match="has no layer for LoRA"):
        add_lora(module, run(module), 1, 4, 0.0)

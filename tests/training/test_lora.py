import pytest
import timm
import torch
from torch import nn

from omnibench.errors import RequestError
from omnibench.training.lora import add_lora, check_rank, targets, train_lora

PIXELS = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "tf_efficientnet_lite0"])
@pytest.mark.parametrize("r", [4, "full"])
def test_the_first_forward_is_unchanged_at_any_rank(name, r):
    options = {"img_size": 64} if "vit" in name else {}
    module = timm.create_model(name, num_classes=0, **options).eval()
    smallest = min(min(m.weight.shape[0], m.weight[0].numel()) for m in targets(module).values())
    with torch.no_grad():
        before = module(PIXELS)
        add_lora(module, smallest if r == "full" else r, 16, 0.0)
        module.eval()
        assert torch.allclose(module(PIXELS), before, atol=1e-6)


def test_every_linear_layer_of_a_vit_and_every_ungrouped_convolution_of_a_cnn():
    vit = timm.create_model("vit_tiny_patch16_224", num_classes=0)
    assert len(targets(vit)) == 12 * 4
    add_lora(vit, 8, 16, 0.1)
    trained = [p for p in vit.parameters() if p.requires_grad]
    # r (in + out) for qkv, proj, fc1, fc2 of each block.
    assert sum(p.numel() for p in trained) == 12 * 8 * (192 * 4 + 192 * 2 + 192 * 5 + 192 * 5)
    cnn = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    assert len(targets(cnn)) == 33
    assert all(m.groups == 1 for m in targets(cnn).values())


def test_only_loras_dropout_is_in_training_mode():
    module = timm.create_model("tf_efficientnet_lite0", num_classes=0, drop_path_rate=0.2)
    add_lora(module, 2, 4, 0.5)
    train_lora(module)
    training = [name for name, part in module.named_modules() if part.training]
    assert training
    assert all("lora_dropout" in name for name in training)


def test_a_rank_beyond_a_layer_and_a_module_without_layers_are_refused():
    module = nn.Sequential(nn.Linear(8, 3))
    check_rank(module, 3)
    with pytest.raises(RequestError, match="rank 4 is larger than the layer '0' allows; use at m"):
        check_rank(module, 4)
    with pytest.raises(RequestError, match="has no layer for LoRA"):
        check_rank(nn.Sequential(nn.GELU()), 1)

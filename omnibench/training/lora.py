"""LoRA (Hu et al. 2021) by peft, put into a backbone in place."""

from typing import Any

from peft import LoraConfig, inject_adapter_in_model
from torch import nn

from omnibench.errors import RequestError


def add_lora(module: nn.Module, r: int, alpha: int, dropout: float) -> None:
    """Put LoRA on every linear layer or, without any, on every ungrouped convolution.

    The base weights are frozen; A is drawn by torch's global generator, B is zero, so the first
    forward is unchanged.

    """
    config: Any = LoraConfig(
        r=r, lora_alpha=alpha, lora_dropout=dropout, target_modules=list(targets(module))
    )
    inject_adapter_in_model(config, module)


def check_rank(module: nn.Module, r: int) -> None:
    """Hold a rank to the layers that would get it.

    Raises:
        RequestError: a layer is smaller than the rank, or there is none.
    """
    layers = targets(module)
    if not layers:
        raise RequestError(f"{type(module).__name__} has no layer for LoRA")
    for name, layer in layers.items():
        largest = min(layer.weight.shape[0], layer.weight[0].numel())
        if r > largest:
            raise RequestError(
                f"LoRA rank {r} is larger than the layer '{name}' allows; use at most {largest}"
            )


def targets(module: nn.Module) -> dict[str, Any]:
    """The layers that get LoRA, by name."""
    linear = {n: m for n, m in module.named_modules() if isinstance(m, nn.Linear) and n}
    if linear:
        return linear
    return {
        n: m for n, m in module.named_modules() if isinstance(m, nn.Conv2d) and m.groups == 1 and n
    }


def train_lora(module: nn.Module) -> None:
    """Evaluation mode for the frozen parts, training mode for LoRA's dropout alone."""
    module.eval()
    for name, part in module.named_modules():
        if name.endswith("lora_dropout") or ".lora_dropout." in name:
            part.train()

"""LoRA (Hu et al. 2021) by peft, put into a backbone in place."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from omnibench.adapt.trainable import Trainable, blank_embedding
from omnibench.encoders import TrainableEncoder
from omnibench.errors import RequestError

Run = Callable[[], Tensor]


def attach(encoder: TrainableEncoder, options: Mapping[str, Any]) -> Trainable:
    """Put LoRA on a backbone and, where its options say so, on the task's head."""
    scale = (options["r"], options["alpha"], options["dropout"])
    add_lora(encoder.module, lambda: blank_embedding(encoder), *scale)

    def on_head(head: nn.Module, forward: Run) -> None:
        if options["head"] == "lora":
            add_lora(head, forward, *scale)

    return Trainable(encoder, set_mode=lambda: train_lora(encoder.module), on_head=on_head)


def add_lora(module: nn.Module, run: Run, r: int, alpha: int, dropout: float) -> None:
    """Put LoRA on every linear layer that takes part or, without any, on every convolution.

    The base weights are frozen; A is drawn by torch's global generator, B is zero, so the first
    forward is unchanged.

    Args:
        run: one forward of what is trained, through `module`; it draws nothing from the generator.

    Raises:
        RequestError: a layer is smaller than the rank or out of LoRA's reach, or there is none.
    """
    module.requires_grad_(False)
    layers = targets(module, run)
    for name, layer in layers.items():
        largest = min(layer.weight.shape[0], layer.weight[0].numel())
        if r > largest:
            raise RequestError(
                f"LoRA rank {r} is larger than the layer '{name}' allows; use at most {largest}"
            )
    config: Any = LoraConfig(
        r=r, lora_alpha=alpha, lora_dropout=dropout, target_modules=list(layers)
    )
    inject_adapter_in_model(config, module)


def targets(module: nn.Module, run: Run) -> dict[str, Any]:
    """Return the layers that get LoRA, by name.

    Every linear layer that `run` calls or, without any, every ungrouped convolution; what it does
    not use, such as timm's pooling head, takes no part.

    Raises:
        RequestError: a layer's weight is used past its forward, where LoRA would train nothing;
            or there is no layer.
    """
    parts: Iterable[Any] = module.modules()
    for part in parts:
        # By this switch timm's BEiT, EVA and Swin v2 call qkv and do not use its weight past it.
        if hasattr(part, "qkv_bias_separate"):
            setattr(part, "qkv_bias_separate", True)  # noqa: B010 - no attribute that torch types
    named = {name: part for name, part in module.named_modules() if name}
    linear = {n: m for n, m in named.items() if isinstance(m, nn.Linear)}
    convolutions = {n: m for n, m in named.items() if isinstance(m, nn.Conv2d) and m.groups == 1}
    for layers in (linear, convolutions):
        called, bypassed = _used(layers, run)
        if bypassed:
            raise RequestError(
                f"LoRA does not reach '{bypassed[0]}' of {type(module).__name__}, whose weight is "
                "used past the layer's forward, as nn.MultiheadAttention does; use `full` or "
                "`head`, or build the attention of layers that are called"
            )
        if called:
            return called
    raise RequestError(f"{type(module).__name__} has no layer for LoRA; use `full` or `head`")


def _used(layers: Mapping[str, Any], run: Run) -> tuple[dict[str, Any], list[str]]:
    """Return the layers whose forward is called, and the names of those used in another way."""
    called: set[str] = set()
    hooks = [
        layer.register_forward_hook(lambda *_, name=name: called.add(name))
        for name, layer in layers.items()
    ]
    # With gradients, without which torch's own transformer layers call none of their parts.
    for layer in layers.values():
        layer.weight.requires_grad_(True)
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            output = run()
        others = {name: layer.weight for name, layer in layers.items() if name not in called}
        gradients = (
            torch.autograd.grad(output.float().sum(), list(others.values()), allow_unused=True)
            if others and output.requires_grad
            else [None] * len(others)
        )
    finally:
        for layer, hook in zip(layers.values(), hooks, strict=True):
            layer.weight.requires_grad_(False)
            hook.remove()
    return (
        {name: layer for name, layer in layers.items() if name in called},
        [name for name, grad in zip(others, gradients, strict=True) if grad is not None],
    )


def train_lora(module: nn.Module) -> None:
    """Evaluation mode for the frozen parts, training mode for LoRA's dropout alone."""
    module.eval()
    for name, part in module.named_modules():
        if name.endswith("lora_dropout") or ".lora_dropout." in name:
            part.train()

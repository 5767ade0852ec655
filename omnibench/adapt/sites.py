"""Which layers of a backbone low-rank updates are put on."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from omnibench.errors import RequestError

Run = Callable[[], Tensor]
Sites = Literal["all-linear", "attention", "attention+patch"]

# What takes tokens in, as timm's and transformers' attention modules call it, fused or split.
PROJECTIONS = frozenset(
    {"qkv", "q", "k", "v", "kv", "q_proj", "k_proj", "v_proj", "query", "key", "value", "in_proj"}
)


def targets(module: nn.Module, run: Run, sites: Sites = "all-linear") -> dict[str, Any]:
    """Return the layers that get LoRA, by name.

    Of `all-linear` every linear layer that `run` calls or, without any, every ungrouped
    convolution; of `attention` the projections of every attention module, and of `attention+patch`
    the convolution that makes tokens of pixels too. What `run` does not use, such as timm's pooling
    head, takes no part.

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
    if sites == "all-linear":
        layers = _called(module, linear, run) or _called(module, convolutions, run)
        if not layers:
            raise RequestError(
                f"{type(module).__name__} has no layer for LoRA; use `full` or `head`"
            )
        return layers
    attending = set(_attention(module))
    layers = {n: m for n, m in _called(module, linear, run).items() if n in attending}
    if not layers:
        raise RequestError(
            f"{type(module).__name__} has no linear layers in attention modules; put low-rank "
            "updates on all its layers (`lora` with `sites: all-linear`) or on its embedding"
        )
    if sites == "attention+patch":
        name, first = next(iter(_called(module, convolutions, run).items()), ("", None))
        if first is None or first.stride != first.kernel_size:
            raise RequestError(
                f"{type(module).__name__} does not begin with one convolution of patches, whose "
                "stride is its kernel's size; use `sites: attention`"
            )
        layers = {name: first, **layers}
    return layers


def _attention(module: nn.Module) -> Iterator[str]:
    """Yield the names of the linear layers that attention modules own.

    One owns projections of `PROJECTIONS` and the one that puts out; where a module `...Attention`
    holds it, as transformers nests them, that stands in another of its children.
    """
    for name, part in module.named_modules():
        linear = {n for n, child in part.named_children() if isinstance(child, nn.Linear)}
        if not linear & PROJECTIONS:
            continue
        yield from (f"{name}.{child}" for child in linear)
        parent = name.rpartition(".")[0]
        holder = module.get_submodule(parent)
        if "Attention" in type(holder).__name__:
            for sibling, other in holder.named_children():
                for child, layer in other.named_children():
                    if isinstance(layer, nn.Linear):
                        yield f"{parent}.{sibling}.{child}"


def _called(module: nn.Module, layers: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """Return the layers whose forward is called.

    Raises:
        RequestError: the weight of another is used.
    """
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
    for name, gradient in zip(others, gradients, strict=True):
        if gradient is not None:
            raise RequestError(
                f"LoRA does not reach '{name}' of {type(module).__name__}, whose weight is "
                "used past the layer's forward, as nn.MultiheadAttention does; use `full` or "
                "`head`, or build the attention of layers that are called"
            )
    return {name: layer for name, layer in layers.items() if name in called}

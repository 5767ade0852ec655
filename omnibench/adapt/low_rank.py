"""LoRA (Hu et al. 2021) by peft, put into a backbone in place."""

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from omnibench.adapt.experts import LowRankExperts
from omnibench.adapt.sites import Run, Sites, targets
from omnibench.adapt.trainable import Trainable, blank_embedding
from omnibench.encoders import TrainableEncoder
from omnibench.errors import RequestError


def attach(encoder: TrainableEncoder, options: Mapping[str, Any]) -> Trainable:
    """Put LoRA on a backbone and, where its options say so, on the task's head."""
    scale = (options["r"], options["alpha"], options["dropout"])
    add_lora(encoder.module, lambda: blank_embedding(encoder), *scale, options["sites"])
    return Trainable(
        encoder,
        set_mode=lambda: train_lora(encoder.module),
        on_head=partial(_on_head, options),
    )


def attach_to_embedding(encoder: TrainableEncoder, options: Mapping[str, Any]) -> Trainable:
    """Put LoRA on the embedding of a frozen backbone, as on an identity W: x + (alpha / r) B A x.

    Raises:
        RequestError: the rank is larger than the embedding.
    """
    width = blank_embedding(encoder).shape[1]
    check_rank(options["r"], width, "the embedding")
    site = LowRankExperts(
        nn.Identity(), width, width, options["r"], options["alpha"], dropout=options["dropout"]
    )
    return Trainable(
        encoder, gradients=False, on_embedding=site, on_head=partial(_on_head, options)
    )


def _on_head(options: Mapping[str, Any], head: nn.Module, forward: Run) -> None:
    if options["head"] == "lora":
        add_lora(head, forward, options["r"], options["alpha"], options["dropout"])


def check_rank(r: int, largest: int, place: str) -> None:
    """Refuse a rank beyond a layer's smaller side.

    Raises:
        RequestError: naming the layer.
    """
    if r > largest:
        raise RequestError(f"LoRA rank {r} is larger than {place} allows; use at most {largest}")


def add_lora(
    module: nn.Module,
    run: Run,
    r: int,
    alpha: int,
    dropout: float,
    sites: Sites = "all-linear",
    adapters: Sequence[str] = ("default",),
) -> None:
    """Put LoRA on the layers of a module that take part, as `targets` chooses them.

    The base weights are frozen; A is drawn by torch's global generator, B is zero, so the first
    forward is unchanged. A fused qkv has one A and one B: r (D + 3 D) parameters.

    Args:
        run: one forward of what is trained, through `module`; it draws nothing from the generator.
        adapters: names of the updates that each layer gets; all of them take part.

    Raises:
        RequestError: a layer is smaller than the rank or out of LoRA's reach, or there is none.
    """
    module.requires_grad_(False)
    layers = targets(module, run, sites)
    for name, layer in layers.items():
        smaller = min(layer.weight.shape[0], layer.weight[0].numel())
        check_rank(r, smaller, f"the layer '{name}'")
    config: Any = LoraConfig(
        r=r, lora_alpha=alpha, lora_dropout=dropout, target_modules=list(layers)
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Already found a `peft_config`")  # several are meant
        for adapter in adapters:
            inject_adapter_in_model(config, module, adapter)
    for layer in module.modules():
        if isinstance(layer, BaseTunerLayer):
            layer.set_adapter(list(adapters))


def train_lora(module: nn.Module) -> None:
    """Evaluation mode for the frozen parts, training mode for LoRA's dropout alone."""
    module.eval()
    for name, part in module.named_modules():
        if name.endswith("lora_dropout") or ".lora_dropout." in name:
            part.train()


def merge_lora(module: nn.Module) -> None:
    """Add every update of LoRA in a module to the layer that it stands on, and leave that alone."""
    for name, layer in [*module.named_modules()]:
        if isinstance(layer, BaseTunerLayer):
            layer.merge()
            parent, _, child = name.rpartition(".")
            setattr(module.get_submodule(parent), child, layer.get_base_layer())

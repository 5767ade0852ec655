"""A trained classifier as timm's own: its backbone, LoRA merged, under timm's linear head."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from omnibench.encoders.leaving import CLOSE, weights_of
from omnibench.encoders.timm_create import create_timm
from omnibench.encoders.timm_encoder import fit_input_size
from omnibench.errors import OmnibenchError, RequestError
from omnibench.training.trained_network import Network, network_of

# What timm is told of its pooling, the first that gives our outputs: `fc_norm` is off since
# embeddings are pooled after the backbone's own norm.
POOLINGS: tuple[Mapping[str, Any], ...] = (
    {"global_pool": "token"},
    {"global_pool": "avg", "fc_norm": False},
    {"global_pool": "avg"},
)


def classifier(record: Mapping[str, Any], weights: Path) -> tuple[dict[str, Any], bytes]:
    """Return timm's config.json and weights of the classifier that a record trained.

    Raises:
        RequestError: timm has no network that computes the same.
    """
    network = network_of(record, weights)
    spec, preprocess = record["spec"], network.loaded.encoder.preprocess
    for arguments, model in _candidates(network):
        if _is_same(network, model):
            own = dict(model.pretrained_cfg)
            shown = {name: own[name] for name in ("first_conv", "classifier") if own.get(name)}
            config = {
                "architecture": own["architecture"],
                "num_classes": model.num_classes,
                "model_args": arguments,
                "pretrained_cfg": {
                    "tag": f"{spec['adaptation']}_{record['digest'][:8]}",
                    "custom_load": False,
                    "input_size": [3, preprocess.size, preprocess.size],
                    "fixed_input_size": True,
                    "interpolation": "bilinear",
                    "crop_pct": 1.0,
                    "crop_mode": "squash",
                    "mean": list(preprocess.mean),
                    "std": list(preprocess.std),
                    "num_classes": model.num_classes,
                    **shown,
                },
            }
            return config, weights_of(model)
    raise RequestError(
        f"timm has no network that computes what {spec['backbone']} with {spec['short']} of "
        f"{spec['task']} does; use --format onnx"
    )


def _candidates(network: Network) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield timm's networks with the weights of ours, and the arguments that make each."""
    module: Any = network.loaded.encoder.module
    name = getattr(module, "pretrained_cfg", {}).get("architecture")
    if not name or network.on_embedding is None:
        return
    width = int(module.num_features)
    with torch.no_grad():
        # Affine in the embedding, where the check below is to pass.
        bias = network.on_embedding(torch.zeros(1, width))[0]
        weight = (network.on_embedding(torch.eye(width)) - bias).T
    for pooling in POOLINGS:
        arguments = {**network.loaded.arguments, **pooling}
        try:
            model = create_timm(name, {**arguments, "num_classes": len(bias)})
            fit_input_size(model, network.loaded.encoder.preprocess.size, name)
            model.load_state_dict(module.state_dict(), strict=False)
            if _fill(model.get_classifier(), weight, bias):
                yield arguments, model.eval()
        except (OmnibenchError, RuntimeError, TypeError, ValueError):  # not this one
            continue


def _fill(head: object, weight: Tensor, bias: Tensor) -> bool:
    """Put weight and bias into timm's head; returns whether it takes them."""
    if not isinstance(head, nn.Linear) or head.weight.shape != weight.shape or head.bias is None:
        return False
    with torch.no_grad():
        head.weight.copy_(weight)
        head.bias.copy_(bias)
    return True


def _is_same(network: Network, model: nn.Module) -> bool:
    """Return whether timm's network gives our outputs."""
    size = network.loaded.encoder.preprocess.size
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(2, 3, size, size, generator=generator)
    with torch.inference_mode():
        own, other = network.module(pixels), model(pixels)
    return bool((own - other).abs().max() <= CLOSE * own.abs().max())

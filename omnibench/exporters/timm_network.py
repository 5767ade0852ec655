"""A trained network as timm's own: its backbone, LoRA merged, and a linear head if there is one."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from omnibench.adapt.trainable import blank_embedding
from omnibench.encoders.leaving import weights_of
from omnibench.encoders.timm_create import create_timm
from omnibench.encoders.timm_encoder import fit_input_size
from omnibench.errors import OmnibenchError, RequestError
from omnibench.files import write_atomically
from omnibench.record_files import WEIGHTS
from omnibench.training.trained_network import Network, network_of

CLOSE = 1e-4  # of the largest output
PROBES, COARSE = 8, 4  # images that are compared, of blocks: means of fine noise are all alike

# What timm is told of its pooling, the first that gives our outputs: `fc_norm` is off since
# embeddings are pooled after the backbone's own norm.
POOLINGS: tuple[Mapping[str, Any], ...] = (
    {"global_pool": "token"},
    {"global_pool": "avg", "fc_norm": False},
    {"global_pool": "avg"},
)


def timm_files(record: Mapping[str, Any], weights: Path) -> dict[str, bytes]:
    """Return config.json and model.safetensors of the network that a record left.

    Raises:
        RequestError: timm loads no network from them that gives the same outputs.
    """
    network, spec = network_of(record, weights), record["spec"]
    for arguments, model in _candidates(network, weights.name.endswith(f".{WEIGHTS}")):
        if not _is_same(network, model):
            continue
        tag = f"{spec['adaptation']}_{record['digest'][:8]}"
        config = _config(network, model, arguments, tag)
        files = {
            "model.safetensors": weights_of(model),
            "config.json": json.dumps(config, indent=1).encode(),
        }
        if _is_loaded(network, files):
            return files
    raise RequestError(
        f"timm has no network that computes what {spec['backbone']} with {spec['short']} of "
        f"{spec['task']} does; use --format onnx"
    )


def _candidates(network: Network, has_head: bool) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield timm's networks with the weights of ours, and the arguments that make each."""
    module: Any = network.loaded.encoder.module
    name = getattr(module, "pretrained_cfg", {}).get("architecture")
    if not name or (has_head and network.on_embedding is None):
        return
    weight, bias = _head(network)
    size = network.loaded.encoder.preprocess.size
    for pooling in POOLINGS:
        # Of the backbone's own arguments some are of its training: no head, and its input size.
        arguments = {**network.loaded.arguments, **pooling, "num_classes": len(bias)}
        if "img_size" in arguments:
            arguments["img_size"] = size
        try:
            model = create_timm(name, arguments)
            fit_input_size(model, size, name)
            model.load_state_dict(module.state_dict(), strict=False)
            if not len(bias) or _fill(model.get_classifier(), weight, bias):
                yield arguments, model.eval()
        except (OmnibenchError, RuntimeError, TypeError, ValueError):  # not this one
            continue


def _head(network: Network) -> tuple[Tensor, Tensor]:
    """Return weight [C, D] and bias [C] on an embedding; no classes where that is the output.

    What is no affine function of the embedding fails the comparison.
    """
    if network.on_embedding is None:
        return torch.zeros(0, 0), torch.zeros(0)
    with torch.no_grad():
        width = blank_embedding(network.loaded.encoder).shape[1]
        bias = network.on_embedding(torch.zeros(1, width))[0]
        return (network.on_embedding(torch.eye(width)) - bias).T, bias


def _fill(head: object, weight: Tensor, bias: Tensor) -> bool:
    """Put weight and bias into timm's head; returns whether it takes them."""
    if not isinstance(head, nn.Linear) or head.weight.shape != weight.shape or head.bias is None:
        return False
    with torch.no_grad():
        head.weight.copy_(weight)
        head.bias.copy_(bias)
    return True


def _config(network: Network, model: Any, arguments: Mapping[str, Any], tag: str) -> dict[str, Any]:
    """Return what timm's hub and `local-dir:` loading read."""
    own, preprocess = dict(model.pretrained_cfg), network.loaded.encoder.preprocess
    shown = ("first_conv", "classifier", "fixed_input_size")
    return {
        "architecture": own["architecture"],
        "num_classes": model.num_classes,
        "model_args": dict(arguments),
        "pretrained_cfg": {
            "tag": tag,
            "custom_load": False,
            "input_size": [3, preprocess.size, preprocess.size],
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "crop_mode": "squash",
            "mean": list(preprocess.mean),
            "std": list(preprocess.std),
            "num_classes": model.num_classes,
            **{name: own[name] for name in shown if own.get(name)},
        },
    }


def _is_same(network: Network, model: nn.Module) -> bool:
    """Return whether timm's network gives our outputs."""
    size = network.loaded.encoder.preprocess.size
    generator = torch.Generator().manual_seed(0)
    blocks = torch.randn(PROBES, 3, COARSE, COARSE, generator=generator)
    pixels = nn.functional.interpolate(blocks, (size, size))
    with torch.inference_mode():
        own, other = network.module(pixels), model(pixels)
    return own.shape == other.shape and bool((own - other).abs().max() <= CLOSE * own.abs().max())


def _is_loaded(network: Network, files: Mapping[str, bytes]) -> bool:
    """Return whether what timm loads from a folder of these files gives our outputs."""
    with tempfile.TemporaryDirectory() as name:
        for file, content in files.items():
            write_atomically(Path(name, file), content)
        try:
            return _is_same(network, timm.create_model(f"local-dir:{name}", pretrained=True).eval())
        except Exception:  # whatever an architecture says to arguments that are not its own
            return False

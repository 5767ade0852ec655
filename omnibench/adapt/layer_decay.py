"""Layer-wise decay of the rate (Clark et al. 2020; BEiT, Bao et al. 2022), by timm's layers."""

from fnmatch import fnmatch
from typing import Any

from timm.models._manipulate import group_with_matcher
from torch import nn

from omnibench.adapt.trainable import Trainable
from omnibench.errors import RequestError

HEAD = "the task's head"  # matched by no layer of a backbone, and so the last


def layered_groups(
    model: nn.Module, trainable: Trainable, rate: float, weight_decay: float, layer_decay: float
) -> list[dict[str, Any]]:
    """Return AdamW's groups: the rate of a layer is `layer_decay` times that of the one above it.

    They are those of timm's `param_groups_layer_decay`: the head, and what stands on the backbone,
    is the last layer; vectors and what the backbone names in `no_weight_decay` do not decay.

    Raises:
        RequestError: parts of the backbone are trained, and nothing says which layers it has; or
            the adaptation brings groups of its own.
    """
    module: Any = trainable.module
    if trainable.groups is not None:
        raise RequestError(
            "recipe.layer_decay: the adaptation sets rates of its own; leave layer_decay out"
        )
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    layers: dict[str, int] = {HEAD: 0}
    if any(parameter.requires_grad for parameter in module.parameters()):
        if not hasattr(module, "group_matcher"):
            raise RequestError(
                f"recipe.layer_decay: nothing says which layers {type(module).__name__} has; leave "
                "layer_decay out"
            )
        named = [(name, name) for name in (*names.values(), HEAD)]
        layers = group_with_matcher(iter(named), module.group_matcher(coarse=False), reverse=True)
    undecayed = module.no_weight_decay() if hasattr(module, "no_weight_decay") else ()
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            name = names.get(id(parameter), HEAD)
            plain = parameter.ndim <= 1 or any(fnmatch(name, each) for each in undecayed)
            groups.setdefault((layers[name], plain), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": rate * layer_decay ** (layers[HEAD] - layer),
            "weight_decay": 0.0 if plain else weight_decay,
        }
        for (layer, plain), parameters in groups.items()
    ]

"""The config.json of a hub repository or a local folder, timm's or transformers'. No torch here.

Such a file comes from anywhere: what is damaged or of another form tells nothing, and the loader
says so when it comes to it.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from omnibench.architecture.facts import Architecture
from omnibench.architecture.table import timm_facts
from omnibench.cards import Channels
from omnibench.errors import RequestError
from omnibench.files import read_regular

MAX_BYTES = 1_000_000
MAX_NUMBER = 1_000_000

# Arguments of timm's models that change no fact but the input size.
NEUTRAL = {
    "dynamic_img_pad",
    "dynamic_img_size",
    "fc_norm",
    "global_pool",
    "img_size",
    "in_chans",
    "init_values",
    "num_classes",
    "proj_drop_rate",
    "drop_path_rate",
    "drop_rate",
}
# Those that change a ViT in a known way, besides its registers and its class token.
VIT_FIELDS = {"embed_dim": "width", "depth": "depth", "patch_size": "patch"}
VIT_ARGUMENTS = {*VIT_FIELDS, "num_heads", "mlp_ratio", "reg_tokens", "class_token"}

# transformers' models that differ from a class token and the registers that their config counts.
PREFIX_TOKENS = {"siglip": 0, "siglip_vision_model": 0, "siglip2_vision_model": 0, "ijepa": 0}
PREFIX_TOKENS["deit"] = 2


def folder_facts(folder: Path) -> Architecture | None:
    """Return the facts that a folder's config.json tells; None where it has none or is damaged."""
    config = _json(folder / "config.json")
    if isinstance(config.get("architecture"), str):
        return timm_config_facts(config)
    return transformers_config_facts(config, _json(folder / "preprocessor_config.json"))


def timm_config_facts(config: Mapping[str, Any]) -> Architecture | None:
    """Return the facts of timm's kind: architecture, model_args and pretrained_cfg."""
    try:
        base = timm_facts(str(config.get("architecture")))
    except RequestError:
        return None
    arguments = config.get("model_args") or {}
    weights = config.get("pretrained_cfg") or config
    if base is None or not isinstance(arguments, dict) or not isinstance(weights, dict):
        return None
    shape = weights.get("input_size")
    side = arguments.get("img_size", shape[1:] if isinstance(shape, list) else None)
    mean, std = _channels(weights.get("mean")), _channels(weights.get("std"))
    return dataclasses.replace(
        _changed(base, arguments),
        input_size=_size(side) or base.input_size,
        # As the loader has it: the architecture's, where the file gives none.
        mean=mean if mean and std else base.mean,
        std=std if mean and std else base.std,
    )


def transformers_config_facts(
    config: Mapping[str, Any], preprocessor: Mapping[str, Any]
) -> Architecture | None:
    """Return the facts of transformers' kind; of CLIP's, those of the image tower."""
    if isinstance(config.get("vision_config"), dict):
        config = config["vision_config"]
    mean, std = (_channels(preprocessor.get(name)) for name in ("image_mean", "image_std"))
    statistics: dict[str, Any] = {"mean": mean, "std": std} if mean and std else {}
    widths = config.get("hidden_sizes")
    if isinstance(widths, list) or "depths" in config:
        width = widths[-1] if isinstance(widths, list) and widths else config.get("hidden_size")
        return Architecture("cnn", width=_number(width), **statistics)
    width, patch, depth = (
        _number(config.get(name)) for name in ("hidden_size", "patch_size", "num_hidden_layers")
    )
    if width is None or patch is None or depth is None:
        return None
    registers = config.get("num_register_tokens", 0)
    prefix = PREFIX_TOKENS.get(str(config.get("model_type")), 1)
    return Architecture(
        "vit",
        width=width,
        patch=patch,
        depth=depth,
        prefix_tokens=prefix + (registers if _number(registers) else 0),
        class_token=prefix > 0,
        reductions=(patch,) * depth if depth <= 1000 else (),
        input_size=_size(config.get("image_size")) or Architecture.input_size,
        **statistics,
    )


def _changed(base: Architecture, arguments: Mapping[str, Any]) -> Architecture:
    """The facts under other model arguments; those that one of them may change are left out."""
    structural = arguments.keys() - NEUTRAL
    if not structural:
        return base
    if base.kind != "vit" or structural - VIT_ARGUMENTS:
        unknown: dict[str, Any] = dict.fromkeys(("width", "depth", "prefix_tokens", "flops"))
        return dataclasses.replace(base, **unknown, reductions=())
    changes: dict[str, Any] = {
        field: _number(arguments[name]) for name, field in VIT_FIELDS.items() if name in arguments
    }
    class_token = bool(arguments.get("class_token", base.class_token))
    registers = (base.prefix_tokens or 0) - bool(base.class_token)
    if "reg_tokens" in arguments:
        registers = _number(arguments["reg_tokens"]) or 0
    patch, depth = changes.get("patch", base.patch), changes.get("depth", base.depth)
    return dataclasses.replace(
        base,
        **changes,
        class_token=class_token,
        prefix_tokens=registers + class_token,
        reductions=(patch,) * min(depth, 1000) if patch and depth else (),
        flops=None,
    )


def _json(path: Path) -> dict[str, Any]:
    """The object of a small JSON file; an empty one where it is absent, damaged or none."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return {}
        content = json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _number(value: Any) -> int | None:
    """A positive integer of a credible size."""
    plain = isinstance(value, int) and not isinstance(value, bool)
    return value if plain and 0 < value <= MAX_NUMBER else None


def _size(value: Any) -> tuple[int, int] | None:
    """(height, width) of one number or of two."""
    sides = [_number(side) for side in (value if isinstance(value, list) else [value, value])]
    return (sides[0], sides[1]) if len(sides) == 2 and sides[0] and sides[1] else None


def _channels(values: Any) -> Channels | None:
    """Three finite numbers."""
    if not isinstance(values, list) or len(values) != 3:
        return None
    numbers = [float(v) for v in values if isinstance(v, int | float) and abs(v) < MAX_NUMBER]
    whole = len(numbers) == 3 and all(math.isfinite(number) for number in numbers)
    return cast(Channels, tuple(numbers)) if whole else None

"""How a timm model's features lie, told by its attributes; nothing is run."""

from itertools import pairwise
from typing import Any, Literal

from omnibench.architecture.facts import Architecture


def timm_architecture(module: Any) -> Architecture:
    """Return the facts of a headless timm model, all but FLOPs and whether its size is fixed."""
    reductions = tuple(int(stage["reduction"]) for stage in module.feature_info)
    kind = _kind(module, reductions)
    class_tokens = _class_tokens(module)
    config = module.pretrained_cfg
    return Architecture(
        kind=kind,
        width=int(module.num_features),
        patch=reductions[-1] if kind == "vit" else None,
        depth=len(reductions) if kind == "vit" else None,
        prefix_tokens=int(getattr(module, "num_prefix_tokens", class_tokens)),
        class_token=class_tokens > 0,
        reductions=reductions,
        input_size=(config["input_size"][1], config["input_size"][2]),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )


def _kind(module: Any, reductions: tuple[int, ...]) -> Literal["vit", "cnn", "other"]:
    if len(set(reductions)) == 1:
        # Tokens merged after the blocks (Qwen3's, DeepSeek's) lie on another grid than the maps.
        merged = getattr(module, "output_fmt", "") == "NLC"
        wider = module.num_features != module.feature_info[-1]["num_chs"]
        return "other" if merged and wider else "vit"
    # CrossViT's two branches are no pyramid.
    return "cnn" if all(after % before == 0 for before, after in pairwise(reductions)) else "other"


def _class_tokens(module: Any) -> int:
    """Number of class tokens (a distillation token may be among them) at the end of the model."""
    tokens = [value for name, value in module.named_parameters() if "cls_token" in name]
    return int(tokens[-1].shape[-2]) if tokens else 0
